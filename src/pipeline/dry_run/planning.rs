//! From the changed files to what is asked: which Kustomizations read them, what these build before and after, and why something
//! is not built here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::controllers::delivery::Kustomization;
use crate::controllers::flux::ObjectKey;
use crate::controllers::installation::KustomizeController;
use crate::controllers::kustomization::substitution::{self, Variables};
use crate::controllers::kustomization::{self as rules, KUSTOMIZE_MINOR, KustomizationSpec};
use crate::facts::dry_run::{BuildTool, DryRunRow, ObjectIdentity, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::io::kustomize::{self, Kustomize};
use crate::pipeline::checkout::Checkout;
use crate::pipeline::session::Session;
use crate::pipeline::stages::{Inputs, Preview, PreviewedFile};

use super::DryRun;
use super::asking::{Applier, Question};
use super::building::{self, Build, Built, NotBuilt, Side};
use super::change::{self, Change, Reached, file_of, first_line};
use super::ground::{Ground, NoVariables, VariableSources};
use super::plain::{self, Plain};

/// The program that builds, looked for when it is first needed.
#[derive(Default)]
struct Tool(Option<Option<Kustomize>>);

impl Tool {
    fn get(&mut self, session: &Session) -> Option<&Kustomize> {
        self.0
            .get_or_insert_with(|| kustomize::find(&session.observer))
            .as_ref()
    }
}

pub(super) struct Planner<'a> {
    inputs: &'a Inputs,
    session: &'a Session,
    ground: &'a Ground,
    tool: Tool,
    variables: VariableSources,
    /// The accounts that were tried, and why one can't be impersonated.
    accounts: BTreeMap<String, Option<String>>,
}

/// What is to be asked about one subject, and what is known without asking.
#[derive(Default)]
pub(super) struct Planned {
    pub questions: Vec<Question>,
    pub result: DryRun,
}

/// A Kustomization that reads a changed file.
struct Touched<'a> {
    kustomization: &'a Kustomization,
    /// The spec before and after: an update may change the Kustomization itself.
    before: Option<KustomizationSpec>,
    after: KustomizationSpec,
    reached: Reached,
    files: Vec<&'a PreviewedFile>,
}

/// What a Kustomization builds, with the variables that were put in.
type BuildResult = Result<(Built, Variables), NotBuilt>;

/// A Kustomization that an update changes builds others; deeper than this none is followed.
const DEEPEST: usize = 8;

impl<'a> Planner<'a> {
    pub fn new(inputs: &'a Inputs, session: &'a Session, ground: &'a Ground) -> Self {
        Self {
            inputs,
            session,
            ground,
            tool: Tool::default(),
            variables: VariableSources::default(),
            accounts: BTreeMap::new(),
        }
    }

    /// What is to be asked about a preview, and what is known without asking.
    ///
    /// # Errors
    ///
    /// The run was interrupted, or has no cluster.
    pub fn plan(
        &mut self,
        preview: &'a Preview,
        checkout: &'a Checkout,
    ) -> Result<Planned, Failure> {
        let mut planned = Planned::default();
        let source = &preview.source;
        let url = source.url.as_deref();
        let covering = self.ground.of_source(&source.key, url);
        let mut sources: BTreeSet<ObjectKey> =
            covering.iter().map(|(_, key)| key.clone()).collect();
        sources.insert(source.key.clone());
        let mut read: BTreeSet<&str> = BTreeSet::new();
        for key in sources {
            let of_source: Vec<&Kustomization> = covering
                .iter()
                .filter(|(_, of)| *of == key)
                .map(|(kustomization, _)| *kustomization)
                .collect();
            if of_source.is_empty() {
                continue;
            }
            let repository = self.ground.git_repositories.get(&key);
            let mut change = Change::new(preview, checkout, repository);
            let touched = self.touched(&of_source, &mut change, preview);
            if touched.is_empty() {
                continue;
            }
            if let Some(repository) = repository {
                planned
                    .result
                    .notes
                    .extend(change::remarks(&key, repository, preview));
            }
            for one in &touched {
                read.extend(one.files.iter().map(|file| file.path.as_str()));
            }
            self.build(touched, &of_source, &key, &mut change, &mut planned)?;
        }
        let rest = preview
            .files
            .iter()
            .filter(|file| !read.contains(file.path.as_str()));
        for file in rest {
            self.plain(file, checkout, &mut planned);
        }
        Ok(planned)
    }

    /// The Kustomizations that read a changed file.
    fn touched(
        &self,
        kustomizations: &[&'a Kustomization],
        change: &mut Change<'a>,
        preview: &Preview,
    ) -> Vec<Touched<'a>> {
        let mut touched = Vec::new();
        for kustomization in kustomizations {
            let spec = &kustomization.spec;
            let Some(reached) = change.reached(spec, spec) else {
                continue;
            };
            let files = change.touched(&reached);
            if !files.is_empty() && !preview.files.is_empty() {
                touched.push(Touched {
                    kustomization,
                    before: Some(spec.clone()),
                    after: spec.clone(),
                    reached,
                    files,
                });
            }
        }
        touched
    }

    /// Builds touched Kustomizations, and those that they change themselves.
    fn build(
        &mut self,
        touched: Vec<Touched<'a>>,
        all: &[&'a Kustomization],
        source: &ObjectKey,
        change: &mut Change<'a>,
        planned: &mut Planned,
    ) -> Result<(), Failure> {
        let mut done: BTreeMap<ObjectKey, Planned> = BTreeMap::new();
        let mut next = touched;
        for _ in 0..DEEPEST {
            if next.is_empty() {
                break;
            }
            let builts = self.build_all(&next, source, change)?;
            let mut nested = Vec::new();
            for (one, built) in next.iter().zip(builts) {
                let mut of_one = Planned::default();
                match built {
                    Ok((built, variables)) => {
                        nested.extend(nested_changes(&built, one));
                        self.question(one, built, &variables, &mut of_one)?;
                    }
                    Err(why) => not_built(one, &why, &mut of_one),
                }
                done.insert(one.kustomization.key.clone(), of_one);
            }
            next = Vec::new();
            for (key, before, after, path) in nested {
                let Some(kustomization) = all.iter().find(|known| known.key == key) else {
                    continue;
                };
                let first = before.clone().unwrap_or_else(|| after.clone());
                let Some(reached) = change.reached(&first, &after) else {
                    continue;
                };
                let mut files = change.touched(&reached);
                if files.is_empty() {
                    files = change.file(&path).into_iter().collect();
                }
                next.push(Touched {
                    kustomization,
                    before,
                    after,
                    reached,
                    files,
                });
            }
        }
        for (_, of_one) in done {
            planned.questions.extend(of_one.questions);
            planned.result.rows.extend(of_one.result.rows);
            planned.result.notes.extend(of_one.result.notes);
            planned.result.troubles.extend(of_one.result.troubles);
        }
        if let Some(Some(tool)) = &self.tool.0 {
            planned.result.tool = Some(BuildTool {
                name: tool.name(),
                version: tool.version.clone(),
            });
            planned.result.warnings.extend(unusual(tool));
            planned.result.warnings.dedup();
        }
        Ok(())
    }

    /// What each Kustomization builds, side by side.
    fn build_all(
        &mut self,
        touched: &[Touched<'a>],
        source: &ObjectKey,
        change: &mut Change<'a>,
    ) -> Result<Vec<BuildResult>, Failure> {
        let blocked: Vec<Option<NotBuilt>> = touched
            .iter()
            .map(|one| self.blocked(one, source))
            .collect();
        let wanted = blocked.iter().any(Option::is_none);
        if wanted && self.tool.get(self.session).is_none() {
            let why = NotBuilt::NotDone(
                "neither kustomize nor kubectl can be run: install one of them to have Kustomizations checked".into(),
            );
            let of_one = |blocked: Option<NotBuilt>| Err(blocked.unwrap_or_else(|| why.clone()));
            return Ok(blocked.into_iter().map(of_one).collect());
        }
        let mut builds = Vec::new();
        for (one, blocked) in touched.iter().zip(&blocked) {
            match blocked {
                Some(why) => builds.extend([Err(why.clone()), Err(why.clone())]),
                None => {
                    let checkout = change.checkout();
                    builds.push(before_build(one, change, checkout));
                    builds.push(build_of(
                        &mut change.after,
                        checkout,
                        &one.after,
                        &one.reached.folder,
                        &one.reached.after,
                    ));
                }
            }
        }
        let limit = self.session.left();
        let printed = match self.tool.get(self.session) {
            Some(tool) => building::run(tool, &builds, limit, &self.session.observer),
            None => builds
                .iter()
                .map(|build| build.clone().map(|_| String::new()))
                .collect(),
        };
        let mut results = Vec::new();
        for (one, printed) in touched.iter().zip(printed.chunks(2)) {
            results.push(self.compared(one, &printed[0], &printed[1], change)?);
        }
        Ok(results)
    }

    fn compared(
        &mut self,
        one: &Touched<'_>,
        before: &Result<String, NotBuilt>,
        after: &Result<String, NotBuilt>,
        change: &Change<'_>,
    ) -> Result<BuildResult, Failure> {
        let printed = match after {
            Ok(printed) => printed,
            Err(why) => return Ok(Err(why.clone())),
        };
        let key = &one.kustomization.key;
        let variables = match self.variables(key, &one.after)? {
            Ok(variables) => variables,
            Err(NoVariables::Hidden(why)) => {
                return Ok(Err(NotBuilt::NotDone(format!("spec.postBuild: {why}"))));
            }
            // They are looked up with the first object that they are put into.
            Err(NoVariables::Fails(words)) => match substitution::first_substituted(printed) {
                Some(first) => {
                    let words = format!("post build failed for '{first}': {words}");
                    return Ok(Err(NotBuilt::Fails(words)));
                }
                None => Variables::default(),
            },
        };
        let before_variables = match &one.before {
            Some(spec) => self.variables(key, spec)?.unwrap_or_default(),
            None => Variables::default(),
        };
        let before = match (before, &one.before) {
            (Ok(printed), Some(spec)) => Some(Side {
                spec,
                variables: &before_variables,
                printed,
            }),
            _ => None,
        };
        let after = Side {
            spec: &one.after,
            variables: &variables,
            printed,
        };
        let strict = self.controller(one).strict_substitution;
        let built = match building::compared(key, before, after, strict) {
            Ok(built) => built,
            Err(words) => return Ok(Err(NotBuilt::Fails(words))),
        };
        if let Some(words) = &built.refused {
            return Ok(Err(NotBuilt::Fails(words.clone())));
        }
        let sources = change.after.has_encrypted_sources(&one.reached.after);
        if sources && one.after.decryption.is_some() && built.encrypted.is_empty() {
            return Ok(Err(NotBuilt::NotDone(
                "it reads files that only the controller can decrypt (SOPS)".into(),
            )));
        }
        Ok(Ok((built, variables)))
    }

    fn variables(
        &mut self,
        key: &ObjectKey,
        spec: &KustomizationSpec,
    ) -> Result<Result<Variables, NoVariables>, Failure> {
        let cluster = self.session.cluster()?;
        let reading = self.variables.variables(key, spec, self.inputs, cluster);
        self.session.wait(
            FailureKind::Cluster,
            "reading the variables of Kustomizations",
            reading,
        )
    }

    fn controller(&self, one: &Touched<'_>) -> &'a KustomizeController {
        self.ground.controller(one.kustomization)
    }

    /// Why a Kustomization isn't built here.
    fn blocked(&self, one: &Touched<'_>, source: &ObjectKey) -> Option<NotBuilt> {
        let controller = self.controller(one);
        let key = &one.kustomization.key;
        if controller.watched.no_cross_namespace_refs && source.namespace != key.namespace {
            return Some(NotBuilt::Fails(format!(
                "can't access 'GitRepository/{source}', cross-namespace references have been blocked"
            )));
        }
        if let Some(secret) = one.after.other_cluster() {
            return Some(NotBuilt::NotDone(format!(
                "spec.kubeConfig{} applies it to another cluster",
                if secret.is_empty() {
                    String::new()
                } else {
                    format!(" ({secret})")
                }
            )));
        }
        let both = [&one.reached.before, &one.reached.after];
        if let Some((from, text)) = both.iter().find_map(|reach| reach.outside.first()) {
            return Some(NotBuilt::Fails(format!(
                "{from} names {text}, which leads out of the source: kustomize-controller refuses it, and it is not read here either"
            )));
        }
        let remote: BTreeSet<&(String, String)> =
            both.iter().flat_map(|reach| &reach.remote).collect();
        if let Some((from, text)) = remote.first() {
            let words = format!("{from} names {text}, which is not part of the source");
            return Some(if controller.no_remote_bases {
                NotBuilt::Fails(format!(
                    "{words}, and the controller runs with --no-remote-bases"
                ))
            } else {
                NotBuilt::NotDone(format!(
                    "{words}: the controller would fetch it, this program does not"
                ))
            });
        }
        None
    }

    /// Turns what differs into questions.
    fn question(
        &mut self,
        one: &Touched<'_>,
        built: Built,
        variables: &Variables,
        planned: &mut Planned,
    ) -> Result<(), Failure> {
        let key = &one.kustomization.key;
        let controller = self.controller(one);
        planned.result.notes.extend(standing(one.kustomization));
        if built.differences.is_empty() {
            planned.result.notes.push(format!(
                "Kustomization {key} reads {}, and builds the same objects as before",
                named(&one.files)
            ));
            return Ok(());
        }
        let account = self.account(one, controller, planned)?;
        let applier = Applier {
            key: key.clone(),
            spec: one.after.clone(),
            account,
            override_managers: controller.override_managers.clone(),
        };
        let secrets: Vec<String> = variables.secrets().map(str::to_owned).collect();
        for difference in built.differences {
            let identity = difference.identity();
            let file = file_of(&one.files, &identity.kind, &identity.name);
            let hangs = building::hangs_on(&difference.after, &built.encrypted);
            let question = Question {
                difference,
                applier: Some(applier.clone()),
                path: file.map(|file| file.path.clone()).unwrap_or_default(),
                line: file.and_then(first_line),
                secrets: secrets.clone(),
                namespace_follows: makes_namespace(&built.objects, &identity.namespace),
                kind_follows: makes_kind(&built.objects, &identity),
            };
            if hangs {
                let why = "its content hangs on a file that only the controller can decrypt (SOPS)";
                planned
                    .result
                    .rows
                    .push(question.row(Outcome::NotChecked, why));
            } else {
                planned.questions.push(question);
            }
        }
        Ok(())
    }

    /// The account that a Kustomization applies as, if it may be impersonated; where not, that is said.
    fn account(
        &mut self,
        one: &Touched<'_>,
        controller: &KustomizeController,
        planned: &mut Planned,
    ) -> Result<Option<String>, Failure> {
        let named = match one.after.service_account_name.as_str() {
            "" => controller.default_service_account.as_str(),
            name => name,
        };
        if named.is_empty() {
            return Ok(None);
        }
        let key = &one.kustomization.key;
        let account = format!("system:serviceaccount:{}:{named}", key.namespace);
        if !self.accounts.contains_key(&account) {
            let cluster = self.session.cluster()?;
            let trying = cluster.refusal_to_impersonate(&account);
            let tried = self
                .session
                .wait(FailureKind::Cluster, "asking for an account", trying)?;
            let why = tried.unwrap_or_else(|error| Some(error.to_string()));
            self.accounts.insert(account.clone(), why);
        }
        match self.accounts.get(&account).cloned().flatten() {
            None => Ok(Some(account)),
            Some(why) => {
                planned.result.notes.push(format!(
                    "Kustomization {key} applies as {account}, which can't be impersonated ({why}): it is checked with your own rights"
                ));
                Ok(None)
            }
        }
    }

    /// A changed file that no Kustomization reads.
    fn plain(&mut self, file: &PreviewedFile, checkout: &Checkout, planned: &mut Planned) {
        if let Some(why) = &self.ground.hidden {
            let message = format!(
                "which Kustomization applies it can't be known: {why}: a ClusterRole with {{apiGroups: [\"{}\"], resources: [\"kustomizations\"], verbs: [\"list\"]}} would let you",
                rules::GROUP
            );
            let rows = rows_of_file(file, None, Outcome::Forbidden, &message);
            planned.result.rows.extend(rows);
            return;
        }
        match plain::read(file, &checkout.tree) {
            Plain::Nothing(why) => {
                let rows = rows_of_file(file, None, Outcome::NotChecked, &why);
                planned.result.rows.extend(rows);
            }
            Plain::Objects(differences) => {
                planned
                    .questions
                    .extend(differences.into_iter().map(|difference| Question {
                        difference,
                        applier: None,
                        path: file.path.clone(),
                        line: first_line(file),
                        secrets: Vec::new(),
                        namespace_follows: false,
                        kind_follows: false,
                    }));
            }
        }
    }
}

fn before_build(
    one: &Touched<'_>,
    change: &mut Change<'_>,
    checkout: &Checkout,
) -> Result<Build, NotBuilt> {
    match &one.before {
        Some(spec) => {
            let folder = rules::tree::secured(&spec.path);
            build_of(
                &mut change.before,
                checkout,
                spec,
                &folder,
                &one.reached.before,
            )
        }
        None => Err(NotBuilt::NotDone("the Kustomization is new".into())),
    }
}

fn build_of(
    state: &mut change::State,
    checkout: &Checkout,
    spec: &KustomizationSpec,
    folder: &str,
    reached: &rules::reach::Reach,
) -> Result<Build, NotBuilt> {
    let (files, _) = state
        .files(checkout, spec, folder, reached)
        .map_err(NotBuilt::Fails)?;
    Ok(Build {
        files,
        folder: folder.to_owned(),
    })
}

/// Rows that say why a Kustomization could not be built.
fn not_built(one: &Touched<'_>, why: &NotBuilt, planned: &mut Planned) {
    let key = &one.kustomization.key;
    let message = match why {
        NotBuilt::Fails(words) => {
            format!("kustomize-controller fails before it applies anything: {words}")
        }
        NotBuilt::NotDone(why) => why.clone(),
    };
    for file in &one.files {
        for mut row in rows_of_file(file, Some(key), Outcome::NotChecked, &message) {
            row.fails = matches!(why, NotBuilt::Fails(_));
            planned.result.rows.push(row);
        }
    }
}

/// A row for each object that the update changes in a file, or one for the file where it holds none.
fn rows_of_file(
    file: &PreviewedFile,
    kustomization: Option<&ObjectKey>,
    outcome: Outcome,
    message: &str,
) -> Vec<DryRunRow> {
    let mut objects: Vec<(ObjectIdentity, Option<usize>)> = Vec::new();
    for change in &file.changes {
        let identity = ObjectIdentity {
            api_version: change.object.api_version.clone(),
            kind: change.object.kind.clone(),
            namespace: change.object.namespace.clone(),
            name: change.object.name.clone(),
        };
        if !objects.iter().any(|(known, _)| *known == identity) {
            objects.push((identity, Some(change.line)));
        }
    }
    if objects.is_empty() {
        objects.push((ObjectIdentity::default(), None));
    }
    let rows = objects.into_iter().map(|(object, line)| DryRunRow {
        object,
        path: file.path.clone(),
        line,
        kustomization: kustomization.cloned(),
        outcome,
        by: None,
        message: message.to_owned(),
        fields: Vec::new(),
        fails: false,
    });
    rows.collect()
}

/// A Kustomization that a build changes: its key, its spec before and after, and the changed file behind it.
type NestedChange = (
    ObjectKey,
    Option<KustomizationSpec>,
    KustomizationSpec,
    String,
);

fn nested_changes(built: &Built, one: &Touched<'_>) -> Vec<NestedChange> {
    let mut found = Vec::new();
    for difference in &built.differences {
        let identity = difference.identity();
        if identity.kind != "Kustomization"
            || identity.group() != rules::GROUP
            || difference.after.is_null()
        {
            continue;
        }
        let spec = |object: &Value| -> Option<KustomizationSpec> {
            serde_path_to_error::deserialize(object.get("spec")?).ok()
        };
        let (before, after) = (spec(&difference.before), spec(&difference.after));
        if let Some(after) = after.filter(|after| before.as_ref() != Some(after)) {
            let key = ObjectKey::new(&identity.namespace, &identity.name);
            let file = file_of(&one.files, &identity.kind, &identity.name);
            let path = file.map(|file| file.path.clone()).unwrap_or_default();
            found.push((key, before, after, path));
        }
    }
    found
}

fn makes_namespace(objects: &[Value], namespace: &str) -> bool {
    objects.iter().any(|object| {
        object["kind"] == "Namespace"
            && object["apiVersion"] == "v1"
            && object["metadata"]["name"] == namespace
    })
}

fn makes_kind(objects: &[Value], identity: &ObjectIdentity) -> bool {
    objects.iter().any(|object| {
        object["kind"] == "CustomResourceDefinition"
            && object["spec"]["group"] == identity.group()
            && object["spec"]["names"]["kind"] == identity.kind.as_str()
    })
}

/// What there is to say of a Kustomization as it stands.
fn standing(kustomization: &Kustomization) -> Vec<String> {
    let key = &kustomization.key;
    let mut notes = Vec::new();
    if kustomization.spec.suspend {
        notes.push(format!(
            "Kustomization {key} is suspended: this is what it would apply if it were resumed"
        ));
    }
    if kustomization.deleted {
        notes.push(format!(
            "Kustomization {key} is being deleted: this is what it would apply if it stayed"
        ));
    }
    notes
}

fn named(files: &[&PreviewedFile]) -> String {
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    paths.join(", ")
}

/// A word on a kustomize of another minor version than the controller's.
fn unusual(tool: &Kustomize) -> Option<String> {
    let (major, minor) = KUSTOMIZE_MINOR;
    let mut parts = tool.version.split('.');
    let mut number = || parts.next()?.parse::<u64>().ok();
    if number().zip(number()) == Some((major, minor)) {
        return None;
    }
    let version = if tool.version.is_empty() {
        "of a version that it doesn't tell"
    } else {
        &tool.version
    };
    Some(format!(
        "{} is kustomize {version}, and the controller builds with {major}.{minor}: they may build different objects",
        tool.name()
    ))
}
