package host

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// tools maps a program the lab runs to the Debian package that brings it.
var tools = [][2]string{
	{"/usr/bin/containerd", "containerd"},
	{"/usr/bin/ctr", "containerd"},
	{"/usr/sbin/runc", "runc"},
	{"/usr/lib/cni/ptp", "containernetworking-plugins"},
	{"/usr/sbin/nft", "nftables"},
	{"/usr/sbin/conntrack", "conntrack"},
	{"/usr/bin/mmdebstrap", "mmdebstrap"},
	{"/usr/bin/nsenter", "util-linux"},
	{"/usr/bin/curl", "curl"},
	{"/etc/ssl/certs/ca-certificates.crt", "ca-certificates"},
	{"/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"},
}

// MissingPackages names the Debian packages the lab needs and the host lacks.
func MissingPackages() []string {
	var missing []string
	seen := map[string]bool{}
	for _, tool := range tools {
		if _, err := os.Stat(tool[0]); err != nil && !seen[tool[1]] {
			seen[tool[1]] = true
			missing = append(missing, tool[1])
		}
	}
	if _, err := exec.LookPath("ip"); err != nil {
		missing = append(missing, "iproute2")
	}
	return missing
}

// InstallPackages installs Debian packages without starting their services.
func InstallPackages(packages []string) error {
	environment := append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	install := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	for _, arguments := range [][]string{{"update"}, install} {
		command := exec.Command("apt-get", arguments...)
		command.Env = environment
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w: %s\ninstall these Debian packages by hand and run the command again: %s",
				arguments[0], err, lastLine(string(output)), strings.Join(packages, " "))
		}
	}
	return nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// RequireRoot explains why the lab needs root, when it is not.
func RequireRoot() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("the lab makes network namespaces, mounts and control groups and so needs root; run it with sudo")
	}
	return nil
}
