package images

import (
	_ "embed"

	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"eaiser.io/operator/tests/lab/modules"
)

//go:embed pause.c
var pauseSource []byte

// makeSources compiles the programs a recipe names and puts their paths in.
func (b Builder) makeSources(recipe Recipe) (Recipe, error) {
	recipe.Files = slices.Clone(recipe.Files)
	for i, file := range recipe.Files {
		var err error
		switch file.Made {
		case madePause:
			recipe.Files[i].Source, err = b.compilePause()
		case madeStandIn:
			recipe.Files[i].Source, err = modules.StandIn.Binary(b.Steps)
		}
		if err != nil {
			return recipe, err
		}
	}
	return recipe, nil
}

func (b Builder) compilePause() (string, error) {
	path := filepath.Join(b.Cache, "layers", "pause-"+hashOf(string(pauseSource)))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	command := exec.Command("cc", "-x", "c", "-Os", "-static", "-s", "-o", path, "-")
	command.Stdin = strings.NewReader(string(pauseSource))
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile pause.c: %w: %s\ninstall a C compiler: apt-get install gcc libc6-dev", err, output)
	}
	return path, nil
}
