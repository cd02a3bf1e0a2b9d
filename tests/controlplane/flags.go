package main

import (
	"fmt"
	"strings"
)

// kubernetesIssuer signs service accounts' tokens; nobody resolves the name.
const kubernetesIssuer = "https://kubernetes.default.svc"

func apiServerFlags(made credentials, port, storePort int) []string {
	return []string{
		fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", storePort),
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--cert-dir=" + made.directory,
		"--token-auth-file=" + made.tokenFile,
		"--authorization-mode=RBAC",
		"--service-account-issuer=" + kubernetesIssuer,
		"--service-account-key-file=" + made.accountKey,
		"--service-account-signing-key-file=" + made.accountKey,
		"--service-cluster-ip-range=10.0.0.0/24",
		"--endpoint-reconciler-type=none",
		"--allow-privileged=true",
		// Nobody makes the accounts that pods would get, nor removes the taint of a new node.
		"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
	}
}

// The default configuration, whose verdicts are the standard; only its haste is not.
func schedulerFlags(made credentials) []string {
	return []string{
		"--kubeconfig=" + made.kubeconfig,
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=1000",
		"--kube-api-burst=2000",
	}
}

func controllerFlags(made credentials) []string {
	return []string{
		"--kubeconfig=" + made.kubeconfig,
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=1000",
		"--kube-api-burst=2000",
		"--controllers=" + strings.Join([]string{
			"namespace-controller",
			"resourcequota-controller",
			"resourceclaim-controller",
			"persistentvolume-binder-controller",
			"persistentvolume-protection-controller",
			"persistentvolumeclaim-protection-controller",
		}, ","),
		"--min-resync-period=1h",
	}
}
