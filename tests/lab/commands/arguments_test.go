package commands

import (
	"slices"
	"testing"
)

func TestKubectlsOwnArgumentsAreNotTakenForTheLabs(t *testing.T) {
	for _, row := range []struct {
		arguments, rest []string
		name            string
	}{
		{[]string{"get", "pods", "--name", "x"}, []string{"get", "pods", "--name", "x"}, "lab"},
		{[]string{"--name", "second", "get", "pods"}, []string{"get", "pods"}, "second"},
		{[]string{"--name=second", "get"}, []string{"get"}, "second"},
		{nil, nil, "lab"},
	} {
		name, rest := splitName("lab", row.arguments)
		if name != row.name || !slices.Equal(rest, row.rest) {
			t.Errorf("%v gave %q and %v", row.arguments, name, rest)
		}
	}
}

func TestMountsThatNameNoAbsolutePathAreRefused(t *testing.T) {
	for _, value := range []string{"", "rules", ":/rules", "rules:", "rules:rules"} {
		if _, err := parseMounts([]string{value}); err == nil {
			t.Errorf("mount %q was accepted", value)
		}
	}
}

func TestEveryCommandHasAnExample(t *testing.T) {
	root := Root()
	for _, command := range append(root.Commands(), root) {
		if command.Example == "" && !command.Hidden && command.Name() != "help" && command.Name() != "completion" {
			t.Errorf("%s has no example", command.CommandPath())
		}
	}
}
