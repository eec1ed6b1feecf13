package networkpolicy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// theCluster has, in namespace shop (team=shop), web on n1 and redis on n1 and
// n2; in ops (team=ops), a prober on n2.
func theCluster(policies ...string) Objects {
	objects := Objects{
		Namespaces: []*corev1.Namespace{namespaceOf("shop"), namespaceOf("ops")},
		Pods: []*corev1.Pod{
			podOf("shop", "web", "n1", "10.1.0.2", 8080),
			podOf("shop", "redis", "n1", "10.1.0.3", 6379),
			podOf("shop", "redis", "n2", "10.2.0.3", 6380),
			podOf("ops", "prober", "n2", "10.2.0.4", 9090),
		},
	}
	for i, spec := range policies {
		policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("p%d", i)}}
		if err := yaml.UnmarshalStrict([]byte(spec), &policy.Spec); err != nil {
			panic(err)
		}
		objects.Policies = append(objects.Policies, policy)
	}
	return objects
}

func namespaceOf(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": name}}}
}

// podOf has one port, called "main".
func podOf(namespace, app, node, address string, port int32) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app + "-" + node, Labels: map[string]string{"app": app}},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{
			Ports: []corev1.ContainerPort{{Name: "main", ContainerPort: port}},
		}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: address},
	}
}

// allowed gives the rules of the one chain of a direction, in short: sets by
// their members, without the comment.
func allowed(t *testing.T, ruleset, way string) []string {
	t.Helper()
	sets := map[string]string{}
	var rules []string
	chain, set := "", ""
	for line := range strings.Lines(ruleset) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 3 && fields[0] == "chain":
			chain = fields[1]
		case len(fields) == 3 && fields[0] == "set":
			chain, set = "", fields[1]
		case len(fields) > 2 && fields[0] == "elements":
			sets["@"+set] = strings.Join(fields[2:], " ")
		case strings.HasPrefix(chain, way+"-") && len(fields) > 0 && fields[0] != "}":
			rule, _, _ := strings.Cut(strings.TrimSpace(line), " comment ")
			rules = append(rules, rule)
		}
	}
	for i, rule := range rules {
		for name, members := range sets {
			rule = strings.ReplaceAll(rule, name, members)
		}
		rules[i] = rule
	}
	return rules
}

func TestAPolicyAllowsWhatTheStandardSays(t *testing.T) {
	for _, row := range []struct {
		name, way, spec string
		want            []string // on node n1, before the final drop
	}{
		{"no rules allow nobody in", "ingress",
			`{podSelector: {}, policyTypes: [Ingress]}`, nil},
		{"no rules allow nothing out", "egress",
			`{podSelector: {}, policyTypes: [Egress]}`, nil},
		{"an empty rule allows everybody", "ingress",
			`{podSelector: {}, ingress: [{}]}`, []string{"return"}},
		{"a pod selector means the policy's namespace", "ingress",
			`{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}`,
			[]string{"ip saddr { 10.1.0.2, 10.1.0.3, 10.2.0.3 } return"}},
		{"a pod selector means pods by label", "egress",
			`{podSelector: {matchLabels: {app: web}}, egress: [{to: [{podSelector: {matchLabels: {app: redis}}}]}]}`,
			[]string{"ip daddr { 10.1.0.3, 10.2.0.3 } return"}},
		{"a namespace selector means all its pods", "ingress",
			`{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}]}]}`,
			[]string{"ip saddr { 10.2.0.4 } return"}},
		{"both selectors in one entry mean both", "ingress",
			`{podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}]}]}`,
			[]string{"ip saddr { 10.1.0.2 } return"}},
		{"two entries mean either", "ingress",
			`{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}, {podSelector: {matchLabels: {app: web}}}]}]}`,
			[]string{"ip saddr { 10.1.0.2, 10.2.0.4 } return"}},
		{"a selector that means nobody allows nobody", "ingress",
			`{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: none}}}]}]}`, nil},
		{"a block leaves out its exceptions, nested ones once", "egress",
			`{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.2.0/24, 10.1.0.0/16, 10.9.0.0/16]}}]}]}`,
			[]string{"ip daddr 10.0.0.0/8 ip daddr != { 10.1.0.0/16, 10.9.0.0/16 } return"}},
		{"a block of another family allows nobody", "ingress",
			`{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: "::/0"}}]}]}`, nil},
		{"an exception that cannot be read closes its block", "ingress",
			`{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [ten]}}]}]}`, nil},
		{"the protocol of a port is TCP by default", "ingress",
			`{podSelector: {}, ingress: [{ports: [{port: 80}]}]}`, []string{"tcp dport { 80 } return"}},
		{"a protocol without port means all its ports", "ingress",
			`{podSelector: {}, ingress: [{ports: [{protocol: UDP}]}]}`, []string{"meta l4proto udp return"}},
		{"ports that overlap are joined, protocols kept apart", "ingress",
			`{podSelector: {}, ingress: [{ports: [{port: 90, endPort: 99}, {port: 80, endPort: 90}, {port: 7}, {port: 53, protocol: UDP}]}]}`,
			[]string{"tcp dport { 7, 80-99 } return", "udp dport { 53 } return"}},
		{"a range that ends before it begins allows nothing", "ingress",
			`{podSelector: {}, ingress: [{ports: [{port: 90, endPort: 80}]}]}`, nil},
		{"peers and ports must both match", "ingress",
			`{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}, {ipBlock: {cidr: 10.9.0.0/16}}], ports: [{port: 80}]}]}`,
			[]string{"ip saddr 10.9.0.0/16 tcp dport { 80 } return", "ip saddr { 10.1.0.2 } tcp dport { 80 } return"}},
		{"a named port is each selected pod's own on the way in", "ingress",
			`{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}], ports: [{port: main}]}]}`,
			[]string{"ip saddr { 10.2.0.4 } ip daddr . tcp dport { 10.1.0.2 . 8080, 10.1.0.3 . 6379 } return"}},
		{"a named port is each peer's own on the way out", "egress",
			`{podSelector: {}, egress: [{to: [{podSelector: {matchLabels: {app: redis}}}], ports: [{port: main}]}]}`,
			[]string{"ip daddr . tcp dport { 10.1.0.3 . 6379, 10.2.0.3 . 6380 } return"}},
		{"a named port to anyone is any pod's own", "egress",
			`{podSelector: {}, egress: [{ports: [{port: main}]}]}`,
			[]string{"ip daddr . tcp dport { 10.1.0.2 . 8080, 10.1.0.3 . 6379, 10.2.0.3 . 6380, 10.2.0.4 . 9090 } return"}},
		{"a named port in a block is that of the pods in it", "egress",
			`{podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.2.0.0/16, except: [10.2.0.4/32]}}], ports: [{port: main}]}]}`,
			[]string{"ip daddr . tcp dport { 10.2.0.3 . 6380 } return"}},
		{"a name that no pod has, or of another protocol, allows nothing", "ingress",
			`{podSelector: {}, ingress: [{ports: [{port: other}, {port: main, protocol: UDP}]}]}`, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := allowed(t, Read(theCluster(row.spec)).Ruleset("n1"), row.way)
			want := append(row.want, "drop")
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// dispatched is the rule that sends pods to the chains of a direction.
func dispatched(ruleset, field string) string {
	for line := range strings.Lines(ruleset) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, field+" vmap ") {
			return line
		}
	}
	return ""
}

func TestOnlySelectedPodsOfTheNodeAreIsolated(t *testing.T) {
	cluster := Read(theCluster(`{podSelector: {matchLabels: {app: redis}}}`))
	first, second := cluster.Ruleset("n1"), cluster.Ruleset("n2")
	if rule := dispatched(first, "ip daddr"); !strings.Contains(rule, "10.1.0.3 : jump") || strings.Count(rule, ":") != 1 {
		t.Errorf("node n1 isolates %q", rule)
	}
	if rule := dispatched(second, "ip daddr"); !strings.Contains(rule, "10.2.0.3 : jump") || strings.Count(rule, ":") != 1 {
		t.Errorf("node n2 isolates %q", rule)
	}
}

func TestThePolicyTypesThatAreMissingFollowFromTheRules(t *testing.T) {
	for _, row := range []struct {
		spec    string
		in, out bool
	}{
		{`{podSelector: {}}`, true, false},
		{`{podSelector: {}, egress: [{}]}`, true, true},
		{`{podSelector: {}, policyTypes: [Egress], ingress: [{}]}`, false, true},
		{`{podSelector: {}, policyTypes: [Ingress], egress: [{}]}`, true, false},
	} {
		ruleset := Read(theCluster(row.spec)).Ruleset("n1")
		in, out := dispatched(ruleset, "ip daddr") != "", dispatched(ruleset, "ip saddr") != ""
		if in != row.in || out != row.out {
			t.Errorf("%s isolates in %v, out %v", row.spec, in, out)
		}
	}
}

func TestSeveralPoliciesOfAPodAddUp(t *testing.T) {
	got := allowed(t, Read(theCluster(
		`{podSelector: {}, ingress: [{ports: [{port: 80}]}]}`,
		`{podSelector: {}, ingress: [{ports: [{port: 443}]}]}`,
	)).Ruleset("n1"), "ingress")
	if want := "tcp dport { 80 } return|tcp dport { 443 } return|drop"; strings.Join(got, "|") != want {
		t.Errorf("got %v", got)
	}
}

func TestRepliesAndAPodsTalkWithItselfComeFirst(t *testing.T) {
	ruleset := Read(theCluster(`{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress]}`)).Ruleset("n1")
	_, forward, _ := strings.Cut(ruleset, "chain forward {")
	lines := strings.Split(strings.TrimSpace(forward), "\n")
	want := []string{
		"type filter hook forward priority filter; policy accept;",
		"ct state established,related accept",
		"ip saddr . ip daddr { 10.1.0.2 . 10.1.0.2 } accept",
	}
	for i, line := range want {
		if strings.TrimSpace(lines[i]) != line {
			t.Errorf("rule %d is %q", i, lines[i])
		}
	}
}

func TestWithoutPoliciesTheTableGoes(t *testing.T) {
	ruleset := Read(theCluster()).Ruleset("n1")
	if ruleset != "table inet eaiser-lab-policy\ndelete table inet eaiser-lab-policy\n" {
		t.Errorf("got %q", ruleset)
	}
}

func TestPodsNoSelectorMeansAreLeftOut(t *testing.T) {
	for what, change := range map[string]func(*corev1.Pod){
		"on the node's network": func(pod *corev1.Pod) { pod.Spec.HostNetwork = true },
		"ended":                 func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed },
		"without an address":    func(pod *corev1.Pod) { pod.Status.PodIP = "" },
		"of another family":     func(pod *corev1.Pod) { pod.Status.PodIP = "fd00::1" },
	} {
		objects := theCluster(`{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}`)
		change(objects.Pods[0])
		ruleset := Read(objects).Ruleset("n1")
		if strings.Contains(ruleset, "10.1.0.2") || !strings.Contains(ruleset, "10.1.0.3") {
			t.Errorf("a pod %s counts:\n%s", what, ruleset)
		}
	}
}

func TestOfTwoPodsWithOneAddressTheYoungerCounts(t *testing.T) {
	objects := theCluster(`{podSelector: {matchLabels: {app: web}}}`)
	younger := podOf("ops", "prober", "n1", "10.1.0.2", 1)
	younger.CreationTimestamp = metav1.NewTime(time.Unix(1, 0))
	objects.Pods = append(objects.Pods, younger)
	if ruleset := Read(objects).Ruleset("n1"); strings.Contains(ruleset, "10.1.0.2") {
		t.Errorf("the older pod is still isolated:\n%s", ruleset)
	}
}

func TestTheOrderOfObjectsDoesNotChangeTheRules(t *testing.T) {
	objects := theCluster(
		`{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}`,
		`{podSelector: {matchLabels: {app: redis}}, policyTypes: [Ingress, Egress]}`,
		`{podSelector: {}, egress: [{ports: [{port: main}]}]}`,
	)
	want := Read(objects).Ruleset("n1")
	for range 20 {
		rand.Shuffle(len(objects.Pods), func(i, j int) { objects.Pods[i], objects.Pods[j] = objects.Pods[j], objects.Pods[i] })
		rand.Shuffle(len(objects.Policies), func(i, j int) {
			objects.Policies[i], objects.Policies[j] = objects.Policies[j], objects.Policies[i]
		})
		if got := Read(objects).Ruleset("n1"); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestANameCannotLeaveItsComment(t *testing.T) {
	got := string(comment(`shop/"; flush ruleset #` + strings.Repeat("x", 300)))
	if strings.Count(got, `"`) != 2 || strings.ContainsAny(got, ";#\n") || len(got) > 130 {
		t.Errorf("got %s", got)
	}
}
