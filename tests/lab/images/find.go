package images

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"eaiser.io/operator/tests/lab/modules"
)

// Sources says where this machine keeps what images are made of.
type Sources struct {
	Lab            string // the lab's sources, tests/lab
	Cache          string
	OperatorBinary string // "" for the repository's release build
	OperatorTag    string // "" for "dev"
}

func (s Sources) repository() string { return filepath.Clean(filepath.Join(s.Lab, "..", "..")) }

// Recipes lists every image this machine can make now. Missing names, with
// reasons, those it cannot.
func (s Sources) Recipes() (recipes []Recipe, missing map[string]string, err error) {
	recipes = append([]Recipe{Pause()}, Debian()...)
	missing = map[string]string{}
	backend := filepath.Join(s.repository(), "examples", "backend")
	if _, err := os.Stat(filepath.Join(backend, "requirements.txt")); err == nil {
		recipes = append(recipes, Backend(backend))
	} else {
		missing["backend"] = "there is no examples/backend/requirements.txt"
	}
	mongod, err := s.mongod()
	switch {
	case err != nil:
		return nil, nil, err
	case mongod == nil:
		missing["mongod"] = "there is neither a mongod ($MONGOD, PATH, " + s.cachedMongod() + ") nor tests/lab/mongod-standin"
	default:
		recipes = append(recipes, *mongod)
	}
	operator := s.OperatorBinary
	if operator == "" {
		operator = filepath.Join(s.repository(), "target", "release", "eaiser")
	}
	if _, err := os.Stat(operator); err == nil {
		recipes = append(recipes, Operator(operator, cmp.Or(s.OperatorTag, "dev")))
	} else {
		missing["operator"] = "there is no " + operator + "; build it with cargo build --release or give --operator-binary"
	}
	return recipes, missing, nil
}

func (s Sources) cachedMongod() string { return filepath.Join(s.Cache, "mongod") }

// realMongod is the path of a real mongod on this machine, or "".
func (s Sources) realMongod() string {
	if path := os.Getenv("MONGOD"); path != "" {
		return path
	}
	if path, err := exec.LookPath("mongod"); err == nil {
		return path
	}
	if _, err := os.Stat(s.cachedMongod()); err == nil {
		return s.cachedMongod()
	}
	return ""
}

func (s Sources) mongod() (*Recipe, error) {
	if path := s.realMongod(); path != "" {
		version, standIn, err := mongodVersion(path)
		if err != nil {
			return nil, err
		}
		recipe := Mongod(path, version, standIn)
		return &recipe, nil
	}
	if !modules.StandIn.Exists(s.Lab) {
		return nil, nil
	}
	recipe := MongodStandIn()
	return &recipe, nil
}

// MongodReference is the reference of the mongod image in use on this machine
// and whether it is the stand-in, which $MONGOD may name too. Nothing is built.
func (s Sources) MongodReference() (reference string, standIn bool, err error) {
	if path := s.realMongod(); path != "" {
		version, standIn, err := mongodVersion(path)
		return Mongod(path, version, standIn).Reference, standIn, err
	}
	return MongodStandIn().Reference, true, nil
}

var versionPattern = regexp.MustCompile(`v(\d+\.\d+\.\d+)`)

// mongodVersion also tells whether the program says of itself that it is the stand-in.
func mongodVersion(path string) (version string, standIn bool, err error) {
	output, err := exec.Command(path, "--version").Output()
	match := versionPattern.FindSubmatch(output)
	if err != nil || match == nil {
		return "", false, fmt.Errorf("%s --version does not tell a version: %v %s", path, err, output)
	}
	return string(match[1]), strings.Contains(string(output), "stand-in"), nil
}

// Select picks recipes by name or reference; all of them when none is named.
func Select(recipes []Recipe, missing map[string]string, names []string) ([]Recipe, error) {
	if len(names) == 0 {
		return recipes, nil
	}
	var selected []Recipe
	for _, name := range names {
		at := slices.IndexFunc(recipes, func(recipe Recipe) bool {
			return recipe.Name == name || recipe.Reference == name
		})
		if at >= 0 {
			selected = append(selected, recipes[at])
			continue
		}
		if why := missing[name]; why != "" {
			return nil, fmt.Errorf("image %s cannot be made: %s", name, why)
		}
		var known []string
		for _, recipe := range recipes {
			known = append(known, recipe.Name)
		}
		return nil, fmt.Errorf("no image is called %q; there are: %s", name, strings.Join(known, ", "))
	}
	return selected, nil
}
