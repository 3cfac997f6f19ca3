//! How each Go program of the tests is built, where that is more than `go build` in its folder.

/// How a program is built.
pub struct Recipe {
    /// The name of its folder.
    pub name: &'static str,
    /// The main package.
    pub package: &'static str,
    /// For `-ldflags`.
    pub link_flags: &'static str,
    /// For `-tags`.
    pub tags: &'static str,
    /// Whether it has parts in C, so that a C compiler is needed.
    pub has_c: bool,
    /// A file that a package embeds and that its module leaves out, by its path below `vendor/`; empty where there is none.
    pub left_out: &'static str,
    /// What the first build takes on two cores; later ones take seconds.
    pub minutes: u32,
}

const PLAIN: Recipe = Recipe {
    name: "",
    package: ".",
    link_flags: "",
    tags: "",
    has_c: false,
    left_out: "",
    minutes: 1,
};

/// Clients can't parse the version that Kubernetes' programs report without this.
const KUBERNETES_VERSION: &str = "-X k8s.io/component-base/version.gitVersion=v1.36.3";

const RECIPES: [Recipe; 11] = [
    Recipe {
        name: "etcd",
        package: "go.etcd.io/etcd/server/v3",
        ..PLAIN
    },
    Recipe {
        name: "apiserver",
        package: "k8s.io/kubernetes/cmd/kube-apiserver",
        link_flags: KUBERNETES_VERSION,
        minutes: 6,
        ..PLAIN
    },
    Recipe {
        name: "irc",
        package: "github.com/fluxcd/image-reflector-controller",
        minutes: 3,
        ..PLAIN
    },
    Recipe {
        name: "iac",
        package: "github.com/fluxcd/image-automation-controller",
        minutes: 3,
        ..PLAIN
    },
    Recipe {
        name: "source",
        package: "github.com/fluxcd/source-controller",
        minutes: 4,
        ..PLAIN
    },
    Recipe {
        name: "kustomize",
        package: "github.com/fluxcd/kustomize-controller",
        minutes: 4,
        ..PLAIN
    },
    Recipe {
        name: "registry",
        package: "github.com/distribution/distribution/v3/cmd/registry",
        minutes: 2,
        ..PLAIN
    },
    // Lists tags too: what benches/registry.rs measures beside us.
    Recipe {
        name: "crane",
        package: "github.com/google/go-containerregistry/cmd/crane",
        ..PLAIN
    },
    Recipe {
        name: "kubectl",
        package: "k8s.io/kubernetes/cmd/kubectl",
        link_flags: KUBERNETES_VERSION,
        minutes: 2,
        ..PLAIN
    },
    Recipe {
        name: "flux",
        package: "github.com/fluxcd/flux2/v2/cmd/flux",
        link_flags: "-X main.VERSION=2.9.5",
        // The manifests are for `flux install` alone.
        left_out: "github.com/fluxcd/flux2/v2/cmd/flux/manifests/none.yaml",
        minutes: 3,
        ..PLAIN
    },
    Recipe {
        name: "gitea",
        package: "code.gitea.io/gitea",
        tags: "sqlite,sqlite_unlock_notify",
        has_c: true,
        minutes: 8,
        ..PLAIN
    },
];

/// The recipe of a program; a plain build of its folder's main package where nothing else is said.
pub fn recipe(name: &str) -> &'static Recipe {
    RECIPES
        .iter()
        .find(|recipe| recipe.name == name)
        .unwrap_or(&PLAIN)
}
