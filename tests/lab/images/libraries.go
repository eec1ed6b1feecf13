package images

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// lddLine matches "libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)" and
// "/lib64/ld-linux-x86-64.so.2 (0x…)".
var lddLine = regexp.MustCompile(`^\s*(?:(\S+) => )?(/\S+) \(0x`)

var lddMissing = regexp.MustCompile(`^\s*(\S+) => not found`)

// library is a shared library: where programs look for it.
type library struct{ path string }

// parseLdd reads the output of ldd. A missing library is an error: the image
// would not start.
func parseLdd(output string) ([]library, error) {
	var found []library
	for _, line := range strings.Split(output, "\n") {
		if missing := lddMissing.FindStringSubmatch(line); missing != nil {
			return nil, fmt.Errorf("shared library %s is not on this machine; install the package that has it", missing[1])
		}
		if match := lddLine.FindStringSubmatch(line); match != nil {
			found = append(found, library{path: match[2]})
		}
	}
	return found, nil
}

// librariesOf lists the shared libraries a program loads, its loader included.
func librariesOf(program string) ([]library, error) {
	output, err := exec.Command("ldd", program).CombinedOutput()
	if strings.Contains(string(output), "not a dynamic executable") || strings.Contains(string(output), "statically linked") {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ldd %s: %w: %s", program, err, output)
	}
	return parseLdd(string(output))
}

// libraryFiles turns libraries into files to copy, to the paths programs look
// for: symbolic links on the way are followed at the source.
func libraryFiles(libraries []library) ([]File, error) {
	var files []File
	for _, one := range libraries {
		real, err := filepath.EvalSymlinks(one.path)
		if err != nil {
			return nil, err
		}
		files = append(files, File{Source: real, Target: one.path, Mode: 0o755})
	}
	return files, nil
}
