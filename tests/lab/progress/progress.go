// Package progress prints what a long command is doing, one line a step, with
// the time since the command began. Lines go to standard error, so that
// standard output stays readable by programs.
package progress

import (
	"fmt"
	"io"
	"time"
)

// Printer prints steps with elapsed time. The zero value prints nothing.
type Printer struct {
	out   io.Writer
	start time.Time
}

// New starts the clock.
func New(out io.Writer) *Printer { return &Printer{out: out, start: time.Now()} }

// Step prints one line such as "[ 12.3s] start etcd".
func (p *Printer) Step(format string, arguments ...any) {
	if p == nil || p.out == nil {
		return
	}
	fmt.Fprintf(p.out, "[%6.1fs] %s\n", time.Since(p.start).Seconds(), fmt.Sprintf(format, arguments...))
}

// Beat prints the step again every interval with the time it has taken, until
// the returned function is called. For steps of minutes, such as a build.
func (p *Printer) Beat(interval time.Duration, what string) (stop func()) {
	p.Step("%s …", what)
	done := make(chan struct{})
	began := time.Now()
	go func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				p.Step("%s … %.0f s so far", what, time.Since(began).Seconds())
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}
