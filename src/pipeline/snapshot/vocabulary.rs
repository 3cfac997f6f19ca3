//! The words that tell nothing of whose cluster it is: those of Kubernetes, Flux, Go's templates and the controllers' messages.

/// Words that stay wherever they stand, in lower case.
pub(super) const WORDS: &str = "\
    additivecelfieldpaths addr burst cache cachesecretsandconfigmaps concurrent debug delay dependency disableconfigwatchers events fluxstorage gitallbranchreferences gitforcepushbranch gitshallowclone gitsparsecheckout graceful level period qps requeue retry shutdown \
    abbrev abbrevboth apart taken holds lines above abs absolute accept \
    acceptable access accessdenied accessed accessfrom account acl acr add adddate added addf address addresses adler \
    advertisement advice after again age ago aks alertdescription algorithm all allow allowed allowwatchbookmarks alnum alpha \
    already alternate alternative always am amazon an and annotations anonymous another answer answers any api apigroup \
    apiresourcelist apis apiversion app appear append appendbinary appendformat appendtext application applied apply apps apr \
    are args argument arguments array arrive artifact artifactfailed artifactinstorage artifactuptodate as asc ascii ask asked \
    asker askpass asks assignable assignment at atoi attempted attr aug auth authconfig authenticate authentication \
    authenticationfailed authn author authoritative authorities authority authorization authorized auths auto automation \
    automationobject availability available aws az azure back bad badcertificate bare base bases basic batch bcrypt be bearer \
    bearertoken been before begin begins behind being below beta between biggest blank blob block blocked blocks body bool \
    boolean bootstrap both bound bounds bracket branch break brings broken brought bucket buffer buildcustomcert buildfailed \
    bundle bundleuri but by byte bytes ca cacert cacheend cachestart cachezone cafile call calling camelcase can canary cannot \
    capacity cause causes ccname ceil cert certain certfile certificate certificateexpired certificaterequired \
    certificaterevoked certificates certificateunknown certs chance change changed changedfiles changedobjects changes char \
    character characters chart charts check checksum chmod choose chooses chose chunk clean client clients clock clone cloning \
    closed cluster clusterrole clusterrolebinding cmd cntrl coalesce code collect collided com come comes command commit \
    commitencoding commits committed committer committerdate common commondir compact comparable compare compares comparison \
    compile component components concat conditions config configmap configmaps configuration configure configured configuring \
    connect connected connection const construct contain container containerregistry containers contains content contentlength \
    context continue continues contradict control controller controllers conversion convert coordination core correct could \
    couldn count crd create created credential credentials cronjob cronjobs cross crt curl current customresourcedefinition \
    daemonset daemonsets dash data database date day days deadline dec decides decimal decode decrypt decryptaes decrypterror \
    decryption deepcopy deepequal default define deleted denied dependencynotready deploy deployment deployments depth \
    dereference derivepassword desc descriptor detail details determine deterministic dev dial dialled dict did diff differs dig \
    digest digestreflectionpolicy digests digit digits dir directories directory disk display distribution div divf divide \
    division do docker dockercfg dockerconfigjson does doesn doesnotexist don done double draft drew drop dry dryrun dsa dss dst \
    due duration durationround each ec ecdsa echo ecr ed edge either eks election eligible else email empty enable enabled enc \
    encoded encoding encryptaes encrypted end ended ending ends entities entity entry env eof eq equal err error errors escape \
    escaped etc event every exactly exceeded exceeds exchange exclude exclusion exec execcredential execute exist exists exit \
    expected expired expires export expression ext extend extra extracted extraheader fail failed fails failure false fast fatal \
    fault fd feature featuregatedisabled feb fetch fetching fewer fffd field fieldmanager fieldselector fieldvalidation file \
    filechanges fileimages filemode filename fileresult files filter filters final find finish finished first fits flag flags \
    float floor flux fluxcd fn folder follow followed following followredirects for forbidden forbids force form format \
    formatted forward found fragment framed fri from fromjson front fs fsmonitor fsync full function ga gar gate gates gateway \
    gave gc gcloud gcm gcp gcr ge genca gencawithkey general generation generic genprivatekey genselfsignedcert \
    genselfsignedcertwithkey gensignedcert gensignedcertwithkey get git github githubappbaseurl githubappid \
    githubappinstallationid githubappinstallationowner githubappprivatekey gitignore gitmod gitmodules gitoperationfailed \
    gitoperationsucceed gitrepositories gitrepository gitversion give given gives gke global gmt go gobencode goes gone google \
    gostring got gpg grant graph greaterthan greaterthanequal group gt had half handshake handshakefailure has hash haskey \
    hasprefix hassuffix have head header heads healthcheckfailed healthy held helm helmchart helmfile helmrelease helmreleases \
    helmrepository hex hexadecimal history holderidentity hookspath horizontalpodautoscaler host hostkeyalgorithms hostname \
    hosts hour hours html htpasswd http https id identification identifier identity identitytoken if ifnotpresent ignore illegal \
    illegalparameter image imageauto imagepolicies imagepolicy imagepolicychoice imagepullpolicy imagepullsecrets imageref \
    imagerepositories imagerepository imageresult images imageupdateautomation imageupdateautomations imageurlinvalid \
    impersonate impersonates in include incmajor incminor incompatible incorrect incpatch increment indent index indices \
    inferred info information ingress ingresses initcontainers initial initials input inputs insecure install installation \
    installfailed installsucceeded instance instant instead int integer interactive interface internalerror interval \
    intervalnotconfigured intn into invalid invalidpolicy invalidpolicyselector invalidsourceconfiguration invalidupdatestrategy \
    io ipaddr is isabs isdst isn isnil isoweek isstd issuer isutc iszero it items iter iterator its jan javascript job jobs join \
    js json jul jun k8s kebabcase keep keeps kept kex key keyfile keygen keymaterial keys keyscan killed kind kindis kindof \
    known knownhosts kube kubeconfig kubectl kubernetes kustomization kustomizations kustomize label labels labelselector laid \
    language large last lasthandledreconcileat lastscanresult lasttransitiontime late latest lazy lc le leader leads lease \
    leasedurationseconds leases least leave leaves left len length lessthan lessthanequal let lets libcrypto library license \
    limb limit limits line link linux list listed listening listing lists literal literally loc local localhost location lock \
    locks log login long longer longest look looked looking lookup loses lossy lost lower lowercase ls lt made main maintenance \
    major make makeslice malformed managed manager manifest manifests many map mar mark marshalbinary marshaljson marshallog \
    marshaltext masked master match matched matching matchlabels max maxf maximum may md md5 meaning means meanwhile media \
    memory mend merge mergeoverwrite message messageerror messageinput metadata method methods microseconds microsoft middle \
    milliseconds min minf minimum minor minute minutes mismatch mismatched missing mo mod mode modified modify mon month months \
    more most ms mst mul mulf multiple must mustappend mustchunk mustcompact mustdatemodify mustdeepcopy mustfirst mustfromjson \
    musthas mustinitial mustlast mustmerge mustmergeoverwrite mustprepend mustpush mustregexfind mustregexfindall mustregexmatch \
    mustregexreplaceall mustregexreplaceallliteral mustregexsplit mustrest mustreverse mustslice musttodate musttojson \
    musttoprettyjson musttorawjson mustuniq mustwithout mut name named names namespace namespaced namespacedname namespaces nan \
    nanosecond nanoseconds ne need needs negation negative neither net network networkpolicy never new newartifact newer newest \
    newreplicasetavailable newvalue next nightly nil nindent nistp no noapplicationprotocol non none nor nospace not notanumber \
    notaversion nothing notification notin notmatched nov now ns null number numeric object objectchanges objectimages \
    objectlevelworkloadidentity objectname objects objecttype oci ocirepository oct of off offer offered offset ok old oldest \
    oldvalue omit omitempty on once one only opaque open openssh operation operator operators option optional options or order \
    origin original osbase osclean osdir osext osisabs other others otherwise out outcome outcomes outofrange output outside \
    over overdue overflow overlays override own pack packet page pagination parameters parent parse parsing part passed \
    passphrase password patch patches path paths pathspec pathspecs pattern pbkdf peer pem perhaps permission persistent \
    persistentvolumeclaim pick pid pkcs pkg pki pkt place please pluck plugin plural pm pod pods pointer policies policy \
    porcelain port ports position possible post pre precedence prefix prepared prepend prerelease prereleaserefused prereleases \
    present prettyjws preview previous previously print printf println prints private proc program programs progressed \
    progressing progressingwithretry prompt protected protection proto protocol protocolversion provided provider proxy \
    proxyconnect proxysecretref proxysslcainfo pub public publickey pull punct push pushed pushing put query question quiet \
    quote quoted quotepath randint random range rate ratelimit rather rbac rc reached read reading readme readoperationfailed \
    ready readyreplicas realm reason receive received reconcile reconciled reconciliation reconciliationsucceeded reconciling \
    record recorded recording recurse recursesubmodules recv redacted redirect redirected redirects ref reference referenced \
    references referred reflect reflector refname refresh refs refspec refused refuses refusing regex regexfind regexfindall \
    regexmatch regexp regexquotemeta regexreplaceall regexreplaceallliteral regexsplit registries registry registrytoken regular \
    rejected release remain remedy remote remotes remove removed removedtemplatefield render rendered renewtime repeat replace \
    replicas replicaset replicasets reply repositories repository repositoryformatversion request requested requestedat \
    requesting requests require required requires reset resolve resolved resource resourceidentifier resources resourceversion \
    response responses rest restartpolicy restarts result resultv resume return returned rev reverse revision revoked \
    rolebinding rollbacksucceeded rollout round rsa rules ruleset run runs runtime said same sat satisfiable saw says scan \
    scanned scantime scheme schemes scope script sec second seconds secret secretref secrets secs secure selected selector self \
    semver semvercompare send sends sent sep separator separators seq server serverrelativeurl serves service serviceaccount \
    serviceaccountname serviceaccounts services set setmapindex setmetadata setprerelease setter setters several sh sha sha1 \
    sha256 shallow short should show shown shows shuffle sig sign signal signature signed signing signingkey silence since size \
    skipping slice small snakecase snapshot so sock socket some sortalpha source sourceignore sourcemanagerfailed space spec \
    specific specified split splitlist splitn sprig squote src ssh sshcommand ssl sslcainfo sslcert sslkey stable stale stalled \
    stand standard stands start starts statefulset statefulsets static status stays std stdin steps stopped storage stored str \
    strategy strict strictpostbuildsubstitutions string strings structs subf subject submodules substr succeeded success \
    successful successfully such suffix sum sun support supported sure suspended swapcase switch switched symbolic symlink \
    symref system tag tags take takes target tcp temp template templatedata temporary terminal ternary test testsucceeded text \
    than that the their them then there they this three through thu time timed timeout timeoutseconds times timezone title tls \
    to todate todecimal tojson token toml too toolarge toolkit toomanyrequests toplevel toprettyjson torawjson tostring \
    tostrings tpl trace transfer transport tree trim trimall trimprefix trimsuffix true trunc truncate trust trusted trying ttl \
    tue tunnel two tx txt type typeis typeislike typemeta typeof types udp uid uint unable unauthenticated unauthorized \
    unavailable underlying unexpected uniq unix unixepoch unixmicro unixmilli unixnano unknown unknownca unmarshaljson \
    unmarshaltext unordered unreachable unrecognisedname unset unsuccessful unsupported unsupportedcertificate until untilstep \
    untitle untracked untyped unusable up update updated updatefailed updates upgradefailed upgradesucceeded upload upper uri \
    url urlencoded urljoin urlparse urlquery us use used user userinfo username usual utc utf valid value values verb verbose \
    verification verify version versions volume wait waiting walked walks wall want wanted wants was watch watched watches way \
    we wed week weekday weeks well were what when where whether which whichever while whose why width wildcards windows wire \
    with within without word words work workload would wrap wrapwith write writecommitgraph writing written wrong www x509 \
    xdigit yaml year yearday years yes yet yml you your zero zone zonebounds zonetrans";

/// Names of fields, which stay where a field's name stands.
pub(super) const FIELDS: &str = "\
    accessFrom active add affinity allowPrivilegeEscalation alphabetical annotationSelector annotations apiGroup apiGroups \
    apiVersion args artifact author availableReplicas backend backoffLimit bases binaryData branch buildMetadata \
    canonicalImageName capabilities certSecretRef chart chartRef checkout claimName clusterIP command commit commonAnnotations \
    commonLabels commonMetadata components concurrencyPolicy conditions configMap configMapGenerator configMapRef containerPort \
    containers cpu creationTimestamp current currentNumberScheduled data decryption deletionPolicy deletionTimestamp dependsOn \
    desiredNumberScheduled digest digestReflectionPolicy dnsPolicy drop email emptyDir entries env envFrom exclusionList exec \
    extract failed failedJobsHistoryLimit failureThreshold files filterTags firstReconciled force from fromPath fsGroup \
    fullnameOverride generation generatorOptions git gitVersion global group groupVersion healthCheckExprs healthChecks history \
    holderIdentity host hostPath http httpGet id ignore ignoreMissingComponents image imagePullPolicy imagePullSecrets \
    imageRepositoryRef images immutable inProgress include includedArtifacts initContainers initialDelaySeconds insecure \
    interval inventory items jobTemplate key kind kubeConfig labelSelector labels lastAppliedOriginRevision lastAppliedRevision \
    lastAttemptedRevision lastAutomationRunTime lastHandledReconcileAt lastPushCommit lastPushTime lastReconciled \
    lastReconciledDuration lastReconciledStatus lastScanResult lastScheduleTime lastSuccessfulTime lastTransitionTime \
    lastUpdateTime latestImage latestRef latestTags leaseDurationSeconds limits literals livenessProbe matchExpressions \
    matchLabels maxSurge maxUnavailable memory message messageTemplate messageTemplateValues metadata minReadySeconds mode \
    mountPath name nameOverride namePrefix nameSuffix namespace namespaceOverride namespaceSelectors newName newTag nodePort \
    nodeSelector numberAvailable numberReady numerical observedExclusionList observedGeneration observedIgnore observedInclude \
    observedPolicies observedPreviousRef observedRecurseSubmodules observedSourceRevision observedSparseCheckout op operator \
    optional options order patch patches patchesJson6902 patchesStrategicMerge path pathType paths pattern periodSeconds \
    persistentVolumeClaim policy policySelector port ports postBuild protocol provider proxySecretRef prune pullPolicy push \
    range readOnly readOnlyRootFilesystem readinessProbe readyExpr readyReplicas reason recurseSubmodules ref refspec registry \
    releaseName renewTime replicas repository requests resources restartPolicy retryInterval revision revisionHistoryLimit \
    roleRef rollingUpdate rules runAsGroup runAsNonRoot runAsUser scanTime schedule scheme seccompProfile secret secretGenerator \
    secretName secretRef securityContext selector semver service serviceAccountName serviceName signingKey size sourceRef \
    sourceVerificationMode sparseCheckout spec startupProbe status strategy stringData subPath subjects substitute \
    substituteFrom substituteStrategy successThreshold successfulJobsHistoryLimit suspend tag tagCount target targetNamespace \
    targetPort tcpSocket template terminationGracePeriodSeconds timeout timeoutSeconds tls toPath tolerations \
    topologySpreadConstraints totalReconciliations type unavailableReplicas update updatedNumberScheduled updatedReplicas url v \
    value valueFrom values verbs verify version versions volumeMounts volumes wait";
