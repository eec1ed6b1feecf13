package enforcement

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/fake"

	"eaiser.io/operator/tests/lab/networkpolicy"
)

func redis(node, address string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "redis-" + node, Labels: map[string]string{"app": "redis"}},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{
			Ports: []corev1.ContainerPort{{Name: "redis", ContainerPort: 6379}},
		}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: address},
	}
}

func shop() *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"team": "shop"}}}
}

func denyAll() *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deny"}}
}

// call is one ruleset given to nft.
type call struct{ node, ruleset string }

// serving runs a controller of two nodes until the test ends. Node n2 fails as
// long as broken says so. Only the namespaces are stand-ins, by recording.
func serving(t *testing.T, client *fake.Clientset, broken func() bool) <-chan call {
	t.Helper()
	calls := make(chan call, 100)
	controller := New(client, func() ([]string, error) { return []string{"n1", "n2"}, nil })
	controller.apply = func(_ context.Context, node, ruleset string) error {
		calls <- call{node, ruleset}
		if node == "n2" && broken() {
			return errors.New("no such namespace")
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = controller.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return calls
}

func next(t *testing.T, calls <-chan call) call {
	t.Helper()
	select {
	case made := <-calls:
		return made
	case <-time.After(5 * time.Second):
		t.Fatal("nothing was applied for 5 seconds")
		return call{}
	}
}

func quiet(t *testing.T, calls <-chan call) {
	t.Helper()
	select {
	case made := <-calls:
		t.Fatalf("applied on %s without need:\n%s", made.node, made.ruleset)
	case <-time.After(5 * gather):
	}
}

func never() bool { return false }

func TestAtItsStartEveryNodeGetsItsRules(t *testing.T) {
	calls := serving(t, fake.NewClientset(shop(), redis("n1", "10.1.0.2"), denyAll()), never)
	first, second := next(t, calls), next(t, calls)
	if first.node != "n1" || !strings.Contains(first.ruleset, "10.1.0.2 : jump") {
		t.Errorf("applied %+v", first)
	}
	if second.node != "n2" || strings.Contains(second.ruleset, "chain") {
		t.Errorf("applied %+v", second)
	}
	quiet(t, calls)
}

func TestAChangeTouchesOnlyTheNodesItConcerns(t *testing.T) {
	client := fake.NewClientset(shop(), redis("n1", "10.1.0.2"), denyAll())
	calls := serving(t, client, never)
	next(t, calls)
	next(t, calls)
	if _, err := client.CoreV1().Pods("shop").Create(t.Context(), redis("n2", "10.2.0.2"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if made := next(t, calls); made.node != "n2" || !strings.Contains(made.ruleset, "10.2.0.2 : jump") {
		t.Errorf("applied %+v", made)
	}
	quiet(t, calls)
}

func TestAChangeWithoutEffectAppliesNothing(t *testing.T) {
	client := fake.NewClientset(shop(), redis("n1", "10.1.0.2"), denyAll())
	calls := serving(t, client, never)
	next(t, calls)
	next(t, calls)
	pod := redis("n1", "10.1.0.2")
	pod.Annotations = map[string]string{"seen": "yes"}
	if _, err := client.CoreV1().Pods("shop").Update(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	quiet(t, calls)
}

func TestANodeThatFailedIsTriedAgain(t *testing.T) {
	failures := 1
	calls := serving(t, fake.NewClientset(shop(), redis("n2", "10.2.0.2"), denyAll()), func() bool {
		failures--
		return failures >= 0
	})
	for i, want := range []string{"n1", "n2", "n2"} {
		if made := next(t, calls); made.node != want {
			t.Errorf("call %d was for %s, not %s", i, made.node, want)
		}
	}
	quiet(t, calls)
}

// TestNftTakesTheRules gives every kind of rule to the real nft, in a network
// namespace of the command's own.
func TestNftTakesTheRules(t *testing.T) {
	if _, err := exec.LookPath("nft"); err != nil || os.Geteuid() != 0 {
		t.Skip("skipped: needs nft and root")
	}
	tcp, last, named, number := corev1.ProtocolTCP, int32(99), intstr.FromString("redis"), intstr.FromInt32(80)
	ports := []networkingv1.NetworkPolicyPort{{Protocol: &tcp}, {Port: &named}}
	ranged := []networkingv1.NetworkPolicyPort{{Port: &number, EndPort: &last}, {Port: &named}}
	peers := []networkingv1.NetworkPolicyPeer{
		{PodSelector: &metav1.LabelSelector{}}, {NamespaceSelector: &metav1.LabelSelector{}},
		{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"10.1.0.0/16", "10.1.2.0/24", "10.3.0.0/16"}}},
	}
	policy := denyAll()
	policy.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: peers, Ports: ports}, {Ports: ranged}, {}}
	policy.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{To: peers, Ports: ports}, {Ports: ranged}, {}}
	ruleset := networkpolicy.Read(networkpolicy.Objects{
		Policies:   []*networkingv1.NetworkPolicy{policy},
		Pods:       []*corev1.Pod{redis("n1", "10.1.0.2"), redis("n2", "10.2.0.2")},
		Namespaces: []*corev1.Namespace{shop()},
	}).Ruleset("n1")
	removal := networkpolicy.Read(networkpolicy.Objects{}).Ruleset("n1")
	// Twice, because the second replaces what the first made; then away with it.
	script := `printf %s "$1" | nft -f - && printf %s "$1" | nft -f - && nft list table inet ` + networkpolicy.Table +
		` && printf %s "$2" | nft -f - && ! nft list table inet ` + networkpolicy.Table + ` 2>&1`
	output, err := exec.Command("unshare", "--net", "sh", "-c", script, "test", ruleset, removal).CombinedOutput()
	if err != nil || !strings.Contains(string(output), "jump ingress-") || !strings.Contains(string(output), "jump egress-") {
		t.Errorf("%v: %s\n%s", err, output, ruleset)
	}
}
