package images

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"eaiser.io/operator/tests/lab/host"
)

// slimming keeps out of an image what no container reads.
var slimming = []string{
	"--dpkgopt=path-exclude=/usr/share/doc/*",
	"--dpkgopt=path-exclude=/usr/share/man/*",
	"--dpkgopt=path-exclude=/usr/share/info/*",
	"--dpkgopt=path-exclude=/usr/share/locale/*",
	"--dpkgopt=path-exclude=/usr/share/bash-completion/*",
	"--dpkgopt=path-exclude=/usr/share/lintian/*",
}

// debianArguments is the mmdebstrap command that makes a root file system of
// the essential packages and those given.
func debianArguments(suite string, packages []string, target, mirror string, hooks ...string) []string {
	arguments := []string{
		"--mode=root", "--variant=essential", "--skip=output/dev",
		// A mirror frozen at a date has Release files past their validity.
		`--aptopt=Acquire::Check-Valid-Until "false"`,
	}
	arguments = append(arguments, slimming...)
	if len(packages) > 0 {
		arguments = append(arguments, "--include="+strings.Join(packages, ","))
	}
	arguments = append(arguments, hooks...)
	arguments = append(arguments, suite, target)
	if mirror != "" {
		arguments = append(arguments, fmt.Sprintf("deb %s %s main", mirror, suite))
	}
	return arguments
}

// runDebian runs mmdebstrap and explains its failure by the end of its output.
func runDebian(arguments []string) error {
	command := exec.Command("mmdebstrap", arguments...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	output, err := command.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		return fmt.Errorf("mmdebstrap: %w:\n%s\ncheck that this machine's apt reaches a Debian mirror: apt-get update",
			err, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
	return nil
}

// hostMirror is the Debian mirror of the host's own apt, or "" for
// mmdebstrap's default when the host is not Debian.
func hostMirror() string {
	output, err := host.Run("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages")
	if err != nil {
		return ""
	}
	return mirrorFrom(output)
}

// mirrorFrom picks Debian's main archive from lines of ORIGIN|LABEL|URI.
func mirrorFrom(targets string) string {
	for _, line := range strings.Split(targets, "\n") {
		if uri, found := strings.CutPrefix(line, "Debian|Debian|"); found {
			return uri
		}
	}
	return ""
}

// pipScript runs in a throw-away root file system, whose path is its first
// argument, so that the packages fit the image's own Python.
const pipScript = `set -e
mkdir -p "$1/etc/ssl/certs" "$1/packages"
cp "$REQUIREMENTS" "$1/requirements.txt"
cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
for file in /etc/pip.conf "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf"; do
	[ -e "$file" ] && cp "$file" "$1/etc/pip.conf"
done
unset PIP_FIND_LINKS PIP_CONFIG_FILE
chroot "$1" /usr/bin/python3 -m pip install --no-cache-dir --no-compile --disable-pip-version-check \
	--only-binary=:all: --root-user-action=ignore --target=/packages -r /requirements.txt
mkdir -p "$PACKAGES"
cp -r "$1/packages/." "$PACKAGES/"
`

// installRequirements installs a pip requirements file with the given suite's
// Python into the folder packages.
func installRequirements(suite, requirements, packages string) error {
	script, err := os.CreateTemp("", "eaiser-lab-pip-*.sh")
	if err != nil {
		return err
	}
	defer os.Remove(script.Name())
	if _, err := script.WriteString("#!/bin/sh\n" + pipScript); err != nil {
		return err
	}
	if err := script.Chmod(0o755); err != nil {
		return err
	}
	if err := script.Close(); err != nil {
		return err
	}
	absolute, err := filepath.Abs(requirements)
	if err != nil {
		return err
	}
	part := packages + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	os.Setenv("REQUIREMENTS", absolute)
	os.Setenv("PACKAGES", part)
	hook := "--customize-hook=" + script.Name()
	arguments := debianArguments(suite, []string{"python3", "python3-pip", "ca-certificates"}, "/dev/null", hostMirror(), hook)
	if err := runDebian(arguments); err != nil {
		return err
	}
	return os.Rename(part, packages)
}
