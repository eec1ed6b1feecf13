package commands

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"eaiser.io/operator/tests/lab/cluster"
	"eaiser.io/operator/tests/lab/host"
	"eaiser.io/operator/tests/lab/images"
	"eaiser.io/operator/tests/lab/modules"
	"eaiser.io/operator/tests/lab/progress"
)

// imageWork is what all image commands start from.
type imageWork struct {
	sources images.Sources
	steps   *progress.Printer
}

func image() *cobra.Command {
	work := &imageWork{}
	command := &cobra.Command{
		Use:   "image",
		Short: "Build the lab's images and load them into the nodes",
		Example: `  lab image load                       # everything this machine can make
  lab image load operator --operator-binary target/release/eaiser
  lab image exec nginx -- nginx -v`,
		PersistentPreRunE: func(*cobra.Command, []string) error { return work.prepare() },
	}
	command.PersistentFlags().StringVar(&work.sources.OperatorBinary, "operator-binary", "", "the operator's binary (target/release/eaiser of the repository)")
	command.PersistentFlags().StringVar(&work.sources.OperatorTag, "operator-tag", "dev", "tag of the operator's image")
	command.AddCommand(work.build(), work.load(), work.tag(), work.list(), work.exec(), work.mongodName())
	return command
}

func (w *imageWork) prepare() error {
	w.steps = steps()
	var err error
	if w.sources.Lab, err = modules.SourceFolder(); err != nil {
		return err
	}
	w.sources.Cache, err = modules.CacheFolder()
	return err
}

func (w *imageWork) builder() images.Builder {
	return images.Builder{Cache: w.sources.Cache, Steps: w.steps}
}

// buildEach builds the named images, one at a time, and hands each on.
func (w *imageWork) buildEach(names []string, then func(images.Built) error) error {
	if err := host.RequireRoot(); err != nil {
		return err
	}
	if missing := host.MissingPackages(); len(missing) > 0 {
		w.steps.Step("install Debian packages: %v", missing)
		if err := host.InstallPackages(missing); err != nil {
			return err
		}
	}
	recipes, missing, err := w.sources.Recipes()
	if err != nil {
		return err
	}
	selected, err := images.Select(recipes, missing, names)
	if err != nil {
		return err
	}
	for _, recipe := range selected {
		built, err := w.builder().Build(recipe)
		if err != nil {
			return err
		}
		if err := then(built); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		for _, name := range sortedKeys(missing) {
			w.steps.Step("no image %s: %s", name, missing[name])
		}
	}
	return nil
}

func (w *imageWork) build() *cobra.Command {
	return &cobra.Command{
		Use:     "build [NAME…]",
		Short:   "Build images into the cache: all this machine can make, or those named",
		Example: "  lab image build\n  lab image build redis nginx",
		RunE: func(command *cobra.Command, names []string) error {
			return w.buildEach(names, func(built images.Built) error {
				fmt.Fprintf(command.OutOrStdout(), "%s %s\n", built.Reference, built.Archive)
				return nil
			})
		},
	}
}

func (w *imageWork) load() *cobra.Command {
	return &cobra.Command{
		Use:     "load [NAME…]",
		Short:   "Build images and load them into every node",
		Example: "  lab image load\n  lab image load backend",
		RunE: func(_ *cobra.Command, names []string) error {
			return w.buildEach(names, func(built images.Built) error {
				return cluster.LoadImage(labName, built, w.steps)
			})
		},
	}
}

func (w *imageWork) tag() *cobra.Command {
	return &cobra.Command{
		Use:     "tag REFERENCE NEW",
		Short:   "Give an image that every node has one more name",
		Example: "  lab image tag localhost/eaiser/mongod-standin:7.0 localhost/eaiser/mongod-standin:7.0-again",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, names []string) error {
			return cluster.TagImage(labName, names[0], names[1])
		},
	}
}

func (w *imageWork) list() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the images, and which of them the lab has loaded",
		Example: "  lab image list",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			recipes, missing, err := w.sources.Recipes()
			if err != nil {
				return err
			}
			// Without a lab nothing is loaded; the list is still of use.
			loaded, _ := cluster.ListImages(labName)
			table := tabwriter.NewWriter(command.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tREFERENCE\tLOADED\tABOUT")
			for _, recipe := range recipes {
				fmt.Fprintf(table, "%s\t%s\t%.12s\t%s\n", recipe.Name, recipe.Reference, orDash(loaded[recipe.Reference]), recipe.About)
			}
			for _, name := range sortedKeys(missing) {
				fmt.Fprintf(table, "%s\t-\t-\tcannot be made: %s\n", name, missing[name])
			}
			return table.Flush()
		},
	}
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func (w *imageWork) exec() *cobra.Command {
	var mounts []string
	command := &cobra.Command{
		Use:   "exec NAME -- COMMAND…",
		Short: "Run a program of an image on this machine, without a cluster",
		Example: `  lab image exec nginx -- nginx -v
  lab image exec --mount "$PWD/rules:/rules" prometheus -- promtool test rules /rules/test.yaml`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, arguments []string) error {
			if err := host.RequireRoot(); err != nil {
				return err
			}
			parsed, err := parseMounts(mounts)
			if err != nil {
				return err
			}
			recipes, missing, err := w.sources.Recipes()
			if err != nil {
				return err
			}
			selected, err := images.Select(recipes, missing, arguments[:1])
			if err != nil {
				return err
			}
			prepared, err := w.builder().Exec(selected[0], parsed, arguments[1:])
			if err != nil {
				return err
			}
			return become(prepared)
		},
	}
	command.Flags().StringArrayVar(&mounts, "mount", nil, "show a folder or file of this machine inside, as HOST:PATH (repeatable)")
	return command
}

func parseMounts(values []string) ([]images.Mount, error) {
	var mounts []images.Mount
	for _, value := range values {
		from, to, found := strings.Cut(value, ":")
		if !found || from == "" || !strings.HasPrefix(to, "/") {
			return nil, fmt.Errorf("mount %q must be HOST:PATH with an absolute PATH, such as $PWD/rules:/rules", value)
		}
		mounts = append(mounts, images.Mount{Host: from, Path: to})
	}
	return mounts, nil
}

func (w *imageWork) mongodName() *cobra.Command {
	return &cobra.Command{
		Use:     "mongod-name",
		Short:   "Print the reference of the mongod image in use: a real one, or the stand-in",
		Example: "  lab image mongod-name",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			reference, standIn, err := w.sources.MongodReference()
			if err != nil {
				return err
			}
			if standIn {
				w.steps.Step("no mongod was given: the stand-in of tests/lab is used, which is not MongoDB")
			}
			fmt.Fprintln(command.OutOrStdout(), reference)
			return nil
		},
	}
}
