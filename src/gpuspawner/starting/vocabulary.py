"""The words of which Kubernetes' messages are made, in lower case.

They are those of kube-scheduler, the kubelet and its runtimes, the volume controllers, admission,
cluster-autoscaler, Karpenter and Kueue. What is not here is not shown, so a word that is missing
costs a word, and a name that is here would be shown: given names (max, will, grace, mark, bill) are
left out, though some messages have them.
"""

from __future__ import annotations

_GRAMMAR = """
a about above after again against all alone already also although an and another any are as at be
because been before being below between both but by can can't cannot could couldn't did didn't do
does doesn't done due during each either else enough ever every few first for from further had has
hasn't have here how if in instead into is isn't it its itself last later least less many matched
maybe more most much must need needed needs neither never new next no none nor not nothing now of
off on once one ones only or other others otherwise out over own per please same second several
should since so some such than that the their them then there these they this those though three
through to too twice two under unless until up upon was wasn't way we were weren't what when where
whether which while who whole whose why with within without won't would wouldn't yet you your
"""

_CLUSTER = """
accelerator affinity agent amd annotation annotations api apiserver autoscaler autoscaling batch box
capacity claim claims class cloud cluster clusterqueue cohort compute condition conditions config
configmap configmaps container containers controller cordon cordoned cpu cpus daemon daemonset
daemonsets default deployment device devices disruption domain domains driver drivers ephemeral
event events extended fabric flavor flavors gpu gpus group groups hub hugepages instance instances
intel jupyter jupyterhub kernel kind kinds kube kubelet kubernetes label labels limitrange
localqueue machine manager memory mig namespace namespaced namespaces node node's nodeclaim
nodegroup nodepool nodes notebook nvidia nvml object objects operator overhead owner pair pairs part
parts plugin plugins pod pod's podgroup pods policy pool pools preempt preempted preempting
preemption preemptor priority priorityclass processor profile provisioner queue queued queues quota
quotas region replicas resource resourceclaim resourceclaims resourceclaimtemplate resourceflavor
resourcequota resources resourceslice restart runtime runtimeclass runtimes sand sandbox scale
scaled scaling schedule scheduled scheduler scheduling secret secrets selector selectors server
server's servers service serviceaccount slice slices spec spread status system taint tainted taints
template toleration tolerations topology type types unit units virtual worker workers workload
workloads zone zones
"""

_STORAGE = """
attach attachable attached attacher attaching attachment attachments bind binding bound csi detach
detached detaching device dir directory disk disks exclusively file files filesystem format fs fsck
immediate map mode mount mounted mounting mountpoint mounts nfs partition path paths persistent
persistentvolume persistentvolume's persistentvolumeclaim persistentvolumeclaims provision
provisioned provisioning reader readonly readwriteonce readwriteoncepod setup share shares snapshot
staging stale storage storageclass subpath unattached unbound unmount unmounted unmounting volume
volume's volumes waitforfirstconsumer writer
"""

_IMAGES = """
anonymous arch architecture auth authentication authorization authorize authorized blob build cache
containerd copy cri crio digest docker download extract extraction fetch image images layer layers
linux manifest manifests os platform pull pulled pulling pulls reference registries registry
repository shim sign signature size tag token unpack unpacked
"""

_STARTING = """
arguments back backed backoff boot cdi cgroup cli cni code command crash create created creating
current daemon dead define entrypoint env environment exec executable exit exited hook hooks init
initialization initialize initialized initializing inspect ip key keys kill killed killing launch
lifecycle liveness log logs main nonroot oci oom poststart prestart prestop privileged probe probes
process program readiness restarted restarting retrieve root run runc running runs security shutdown
sidecar signal start started starting startup stderr stdout stop stopped stopping task tasks
terminate terminated terminating termination user user's
"""

_NETWORK = """
address addresses answer bytes client closed connect connected connecting connection connections
dial dns endpoint eof forwarded gateway get handshake head header headers host hostname hosts http
https interface internal io ipv lookup net network networking nic peer port ports post protocol
proxy reach reachable received refused request requested requesting requests reset resolve resolved
response route rpc send sent socket tcp temporary tls transport udp unix unreachable url
"""

_HAPPENING = """
accept accepted access acquire activated add added additional admission admit admitted affect
allocatable allocate allocated allocating allocation allow allowed allows already anew applied apply
approval ask asked asks assign assigned assigning assignment associated attempt attempted attempts
available await awaiting bad become becoming before begin blocked busy cancel canceled cancelled
change changed changes check checked checking checks choose chosen cleaned cleanup clear complete
completed completing configured conflict conflicting conflicts constraint constraints consume
consumed contain contains context count counts creation cycle deadline deallocate delay delayed
delaying delete deleted deleting deletion denied deny desc describe description desired detail
details detected determine different disabled down drain drained draining effect eligible empty
enabled encountered end ended ends ensure entry err error errors evict evicted evicting eviction
exceed exceeded exceeding exceeds exclude excluded exclusive exist existent existing exists expected
expired external fail failed failing fails failure failures fatal feasible field fields filter
filtered find finish finished fit fits fitted follow following follows forbidden forced forget
forming found free full fully gated gates generate generation getting given gone graceful gracefully
growing guaranteed hand handle handling hard has healthy help helpful higher highest hold ignore
ignored impossible include included includes including incoming incompatible incomplete incorrect
inflight insufficient invalid issue issued kept lack lacks large larger latest launched lease leave
left limit limited limiting limits list listed load local locked longer lost low lower lowest make
makes making malformed match matches matching maximum met method min minimum mismatch missed missing
mixed modified multi multiple name named names nominate nominated non normal number obtain occurred
odd offering offerings old open operation optimistic option options order original output parent
parse partially passed pending percent perform permanent permission permissions permitted place
placed placement possible preferred prefix prepare prepared preparing present pressure prevent
prevented preventing previous problem progress provide provided publish raised ran range reached
read readied reading ready reason reasons rebooted reclaim reclaimed reconcile reconfiguration
recover recovered refresh register registered reject rejected rejects release released remain
remaining remote remove removed removing replaced report reported reports require required
requirement requirements requires reservation reserve reserved resize retried retry retrying return
returned risk rule rules safe satisfied satisfies satisfy scope script seconds section see select
selected set sets setting settings shared short shortage shut shutting simultaneous skipped slow
small soft space specified specify stage state stay step still stream succeed succeeded success
successful successfully sufficient suffix suit sum supported suspended sync synced syncing take
taken takes taking target temporarily term text threshold time timed timeout times timing tolerate
tolerated tool total tried trigger triggered triggering triggers try trying unable unauthorized
unavailable uncordoned undefined unexpected unhealthy unknown unmatched unnecessary unready
unrecognized unresolvable unschedulable unspecified unsuccessful unsupported untolerated unused
update updated updating upgrade usage use used uses using valid validate validation value values
version victim victims violate violated violates wait waited waiting waits want warning watch
webhook word words work works write writing wrong zero
"""

_FEW_LETTERS = """
ebs ec ecc eni fuse gb gce gi gib gke hpa iam id iops kib mb mib ms nvme pci pid pids pv pvc pvs qos
rbac s ssd tib uid us utf vm xid
"""

WORDS = frozenset(
    " ".join(
        (
            _GRAMMAR,
            _CLUSTER,
            _STORAGE,
            _IMAGES,
            _STARTING,
            _NETWORK,
            _HAPPENING,
            _FEW_LETTERS,
        )
    ).split()
)

WITH_SIGNS = frozenset(
    {
        "affinity/selector",
        "already-in-use",
        "anti-affinity",
        "attachvolume.attach",
        "back-off",
        "mountvolume.setup",
        "exceededgraceperiod",
        "multi-attach",
        "non-empty",
        "non-existent",
        "outofcpu",
        "outofmemory",
        "outofpods",
        "scale-up",
    }
)
"""What is a word of theirs though it is not of letters only, or not of several words."""

BEFORE = {
    "max": "node|cluster|total|limit|volume|client|skew",
    "grace": "period",
    "will": "be|not|never",
}
"""Words that are names, too, each with what follows it in a message."""
