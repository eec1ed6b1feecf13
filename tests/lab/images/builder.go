package images

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"eaiser.io/operator/tests/lab/modules"
	"eaiser.io/operator/tests/lab/progress"
)

// Builder makes images and keeps them in the cache.
type Builder struct {
	Cache string
	Steps *progress.Printer
}

// Built is an image ready to be loaded.
type Built struct {
	Reference string `json:"reference"`
	ID        string `json:"id"`      // SHA-256 of its configuration, in hexadecimal
	Archive   string `json:"archive"` // docker-archive
	Layers    []string
}

// Build makes the image, or finds it in the cache when nothing it is made of
// has changed.
func (b Builder) Build(recipe Recipe) (Built, error) {
	recipe, err := b.makeSources(recipe)
	if err != nil {
		return Built{}, fmt.Errorf("image %s: %w", recipe.Name, err)
	}
	key, err := recipeKey(recipe)
	if err != nil {
		return Built{}, fmt.Errorf("image %s: %w", recipe.Name, err)
	}
	unlock, err := modules.Lock(filepath.Join(b.Cache, "images", recipe.Name+".lock"))
	if err != nil {
		return Built{}, err
	}
	defer unlock()
	record := filepath.Join(b.Cache, "images", recipe.Name+"-"+key+".json")
	if built, err := readBuilt(record); err == nil {
		return built, nil
	}
	began := time.Now()
	b.Steps.Step("build image %s (%s)", recipe.Reference, recipe.About)
	built, err := b.build(recipe, strings.TrimSuffix(record, ".json"))
	if err != nil {
		return Built{}, fmt.Errorf("image %s: %w", recipe.Name, err)
	}
	b.removeOlder(recipe.Name)
	content, err := json.MarshalIndent(built, "", "  ")
	if err != nil {
		return Built{}, err
	}
	b.Steps.Step("built image %s in %.1f s", recipe.Reference, time.Since(began).Seconds())
	return built, os.WriteFile(record, content, 0o644)
}

func readBuilt(record string) (Built, error) {
	content, err := os.ReadFile(record)
	if err != nil {
		return Built{}, err
	}
	var built Built
	if err := json.Unmarshal(content, &built); err != nil {
		return Built{}, err
	}
	for _, path := range append([]string{built.Archive}, built.Layers...) {
		if _, err := os.Stat(path); err != nil {
			return Built{}, err
		}
	}
	return built, nil
}

func (b Builder) build(recipe Recipe, stem string) (Built, error) {
	var paths []string
	if recipe.Suite != "" {
		base, err := b.baseLayer(recipe.Suite, recipe.Packages)
		if err != nil {
			return Built{}, err
		}
		paths = append(paths, base)
	}
	files, err := b.files(recipe, paths)
	if err != nil {
		return Built{}, err
	}
	if len(files) > 0 {
		path := stem + ".files.tar"
		if err := writeTo(path, func(out *os.File) error { return writeFilesLayer(files, out) }); err != nil {
			return Built{}, err
		}
		paths = append(paths, path)
	}
	var layers []layer
	for _, path := range paths {
		one, err := openLayer(path)
		if err != nil {
			return Built{}, err
		}
		layers = append(layers, one)
	}
	built := Built{Reference: recipe.Reference, Archive: stem + ".tar", Layers: paths}
	err = writeTo(built.Archive, func(out *os.File) error {
		built.ID, err = writeArchive(recipe, layers, out)
		return err
	})
	return built, err
}

// files completes the recipe's files by what must be made or looked up first.
func (b Builder) files(recipe Recipe, lower []string) ([]File, error) {
	files := slices.Clone(recipe.Files)
	if recipe.Requirements != "" {
		packages, err := b.pythonPackages(recipe.Suite, recipe.Requirements)
		if err != nil {
			return nil, err
		}
		files = append(files, File{Source: packages, Target: trixiePackages})
	}
	if recipe.Libraries == "" {
		return files, nil
	}
	libraries, err := librariesOf(recipe.Libraries)
	if err != nil {
		return nil, err
	}
	wanted, err := libraryFiles(libraries)
	if err != nil {
		return nil, err
	}
	for _, path := range lower {
		present, err := fileNames(path)
		if err != nil {
			return nil, err
		}
		wanted = absentFiles(wanted, present)
	}
	return append(files, wanted...), nil
}

// absentFiles keeps the libraries that the layer below lacks and moves them to
// the one folder the loader searches without a cache.
func absentFiles(files []File, present map[string]bool) []File {
	var absent []File
	for _, file := range files {
		if name := filepath.Base(file.Target); !present[name] {
			file.Target = "/usr/lib/x86_64-linux-gnu/" + name
			absent = append(absent, file)
		}
	}
	return absent
}

// baseLayer is the root file system of a Debian suite with packages; images
// that differ only in files share it.
func (b Builder) baseLayer(suite string, packages []string) (string, error) {
	arguments := debianArguments(suite, packages, "TARGET", "")
	path := filepath.Join(b.Cache, "layers", "debian-"+suite+"-"+hashOf(arguments)+".tar")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	stop := b.Steps.Beat(10*time.Second, fmt.Sprintf("install Debian %s packages %v", suite, packages))
	defer stop()
	part := strings.TrimSuffix(path, ".tar") + ".part.tar"
	if err := runDebian(debianArguments(suite, packages, part, hostMirror())); err != nil {
		return "", err
	}
	return path, os.Rename(part, path)
}

func (b Builder) pythonPackages(suite, requirements string) (string, error) {
	content, err := os.ReadFile(requirements)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(b.Cache, "layers", "python-"+suite+"-"+hashOf(string(content)+pipScript))
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	stop := b.Steps.Beat(10*time.Second, "install Python packages with the image's own Python")
	defer stop()
	return folder, installRequirements(suite, requirements, folder)
}

// removeOlder removes former builds of the image. Recent ones stay: another
// command may be about to load one.
func (b Builder) removeOlder(name string) {
	records, _ := filepath.Glob(filepath.Join(b.Cache, "images", name+"-*.json"))
	for _, record := range records {
		info, err := os.Stat(record)
		if err != nil || time.Since(info.ModTime()) < time.Hour {
			continue
		}
		stem := strings.TrimSuffix(record, ".json")
		_ = errors.Join(os.Remove(record), os.Remove(stem+".tar"), os.Remove(stem+".files.tar"))
	}
}

func writeTo(path string, write func(out *os.File) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	if err := errors.Join(write(out), out.Close()); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// recipeKey is the hash of a recipe and of the content of all it names. Where
// the content lies does not matter, so clones share the cache.
func recipeKey(recipe Recipe) (string, error) {
	sources := []string{}
	files := slices.Clone(recipe.Files)
	for i := range files {
		if files[i].Source != "" {
			sources = append(sources, files[i].Source)
		}
		files[i].Source = ""
	}
	if recipe.Requirements != "" {
		sources = append(sources, recipe.Requirements)
	}
	contents := []string{}
	for _, source := range sources {
		sum, err := hashPath(source)
		if err != nil {
			return "", err
		}
		contents = append(contents, sum)
	}
	recipe.Files, recipe.Requirements, recipe.Libraries = files, "", ""
	return hashOf([]any{recipe, contents}), nil
}

func hashPath(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return modules.HashFolder(path, func(file string) bool {
			for _, name := range unwanted {
				if strings.Contains("/"+file, "/"+name+"/") {
					return false
				}
			}
			return true
		})
	}
	one, err := openLayer(path)
	return one.digest, err
}

func hashOf(value any) string {
	content, err := json.Marshal(value)
	if err != nil {
		// Only plain structures of strings are hashed.
		panic(err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])[:16]
}
