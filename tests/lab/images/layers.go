package images

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// writeFilesLayer writes a tar of the files, owned by root and without times,
// so that equal content makes an equal layer.
func writeFilesLayer(files []File, out io.Writer) error {
	archive := tar.NewWriter(out)
	for _, file := range files {
		if err := addFile(archive, file); err != nil {
			return fmt.Errorf("add %s: %w", file.Target, err)
		}
	}
	return archive.Close()
}

func addFile(archive *tar.Writer, file File) error {
	mode := int64(file.Mode)
	if mode == 0 {
		mode = 0o644
	}
	if file.Source == "" {
		header := &tar.Header{Name: entryName(file.Target), Mode: mode, Size: int64(len(file.Content))}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		_, err := io.WriteString(archive, file.Content)
		return err
	}
	info, err := os.Stat(file.Source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return addFolder(archive, file)
	}
	return addRegular(archive, file.Source, file.Target, mode)
}

func entryName(target string) string { return strings.TrimPrefix(path.Clean(target), "/") }

func addRegular(archive *tar.Writer, source, target string, mode int64) error {
	content, err := os.Open(source)
	if err != nil {
		return err
	}
	defer content.Close()
	info, err := content.Stat()
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: entryName(target), Mode: mode, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(archive, content)
	return err
}

// unwanted are folders of a working copy that no image needs.
var unwanted = []string{"__pycache__", ".venv", "venv", ".pytest_cache", ".git", ".ruff_cache", ".mypy_cache"}

func addFolder(archive *tar.Writer, folder File) error {
	return filepath.WalkDir(folder.Source, func(source string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder.Source, source)
		if err != nil {
			return err
		}
		target := path.Join(folder.Target, filepath.ToSlash(relative))
		switch {
		case entry.IsDir() && slices.Contains(unwanted, entry.Name()):
			return filepath.SkipDir
		case entry.IsDir():
			return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: entryName(target) + "/", Mode: 0o755})
		case entry.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(source)
			if err != nil {
				return err
			}
			return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: entryName(target), Linkname: link, Mode: 0o777})
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return addRegular(archive, source, target, int64(info.Mode().Perm()|0o444))
	})
}

// fileNames lists the base names of all files in a tar.
func fileNames(layerPath string) (map[string]bool, error) {
	file, err := os.Open(layerPath)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	names := map[string]bool{}
	for archive := tar.NewReader(file); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		names[path.Base(header.Name)] = true
	}
}
