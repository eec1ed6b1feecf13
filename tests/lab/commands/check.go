package commands

import "github.com/spf13/cobra"

func check() *cobra.Command { return &cobra.Command{Use: "check"} }
