package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// Processes, not goroutines: each of these owns its process's feature gates, signals and logs, and
// the API server is to be killed alone.
var components = map[string]func(arguments []string) error{
	"kube-apiserver": func(arguments []string) error {
		command := apiserver.NewAPIServerCommand()
		command.SetArgs(arguments)
		return command.Execute()
	},
	"kube-scheduler": func(arguments []string) error {
		command := scheduler.NewSchedulerCommand()
		command.SetArgs(arguments)
		return command.Execute()
	},
	"kube-controller-manager": func(arguments []string) error {
		command := controllers.NewControllerManagerCommand()
		command.SetArgs(arguments)
		return command.Execute()
	},
}

// becomeComponent runs a component in this process and never returns. The process ends with its
// parent, however that ends: then the other end of its standard input is closed.
func becomeComponent(name string, arguments []string) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := components[name](arguments); err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	os.Exit(0)
}

// component is a child process that runs one of components.
type component struct {
	name      string
	arguments []string
	logFile   string
	failed    chan<- error

	lock    sync.Mutex
	running *process
}

type process struct {
	command *exec.Cmd
	input   io.Closer
	ended   chan struct{}
	killed  bool
}

func newComponent(name, directory string, failed chan<- error, arguments ...string) *component {
	return &component{
		name:      name,
		arguments: arguments,
		logFile:   filepath.Join(directory, name+".log"),
		failed:    failed,
	}
}

// start does nothing if the component runs.
func (c *component) start() error {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.running != nil {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	output, err := os.OpenFile(c.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer output.Close()
	command := exec.Command(program, append([]string{c.name}, c.arguments...)...)
	command.Stdout, command.Stderr = output, output
	input, err := command.StdinPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	c.running = &process{command: command, input: input, ended: make(chan struct{})}
	go c.await(c.running)
	return nil
}

func (c *component) await(child *process) {
	err := child.command.Wait()
	c.lock.Lock()
	defer c.lock.Unlock()
	close(child.ended)
	if !child.killed {
		c.failed <- fmt.Errorf("%s ended by itself (%v); its log:\n%s", c.name, err, tail(c.logFile))
	}
}

// kill ends the component as a crash would, and does nothing if it does not run.
func (c *component) kill() {
	c.lock.Lock()
	child := c.running
	if child != nil {
		child.killed = true
		_ = child.command.Process.Kill()
		c.running = nil
	}
	c.lock.Unlock()
	if child != nil {
		<-child.ended
	}
}

// tail gives the end of a file.
func tail(path string) string {
	const length = 4000
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(content[max(0, len(content)-length):])
}
