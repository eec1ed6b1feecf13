// Command addons is the lab's programs around Kubernetes in one binary. Its
// first argument (or the name it is called by) picks the program: coredns,
// kwok or helm. It is a module of its own because CoreDNS needs an etcd client
// that does not compile beside the etcd server of ../kubernetes.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// programs lists, in order of use, the name of each program and the function
// that runs it with os.Args already reduced to the program's own arguments.
var programs = []struct {
	name string
	main func()
}{
	{"coredns", coredns},
	{"kwok", kwok},
	{"helm", helm},
}

func main() {
	called := filepath.Base(os.Args[0])
	if runProgram(called) {
		return
	}
	if len(os.Args) > 1 {
		called = os.Args[1]
		os.Args = os.Args[1:]
		if runProgram(called) {
			return
		}
	}
	names := make([]string, 0, len(programs))
	for _, program := range programs {
		names = append(names, program.name)
	}
	fmt.Fprintf(os.Stderr, "no program %q; choose one of: %s\n", called, strings.Join(names, ", "))
	os.Exit(2)
}

func runProgram(name string) bool {
	for _, program := range programs {
		if program.name == name {
			program.main()
			return true
		}
	}
	return false
}
