package enforcement

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"eaiser.io/operator/tests/lab/host"
)

// apply hands a ruleset to nft inside a network namespace. nft makes it one
// transaction: it is in force as a whole, or not at all.
func apply(ctx context.Context, namespace, ruleset string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	arguments := host.Inside(namespace, "nft", "-f", "-")
	command := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	command.Stdin = strings.NewReader(ruleset)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}
