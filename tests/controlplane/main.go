// Command controlplane runs a Kubernetes control plane for the tests, from one binary and on
// loopback only: etcd in this process, and kube-apiserver (RBAC on), kube-scheduler and a few
// controllers of kube-controller-manager as children of it. There are no kubelets.
//
// It prints one JSON line when the API server is ready:
//
//	{"server": URL, "ca": FILE, "kubeconfig": FILE, "token": TOKEN, "version": "v1.36.3"}
//
// The token and the kubeconfig are an administrator's. A line "down" on standard input kills the
// API server and a line "up" starts it again on the same data and port; each is answered with a
// JSON line. It ends, and takes everything with it, on SIGTERM, SIGINT or when standard input is
// closed.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const readyWithin = 90 * time.Second

func main() {
	if len(os.Args) > 1 && components[os.Args[1]] != nil {
		becomeComponent(os.Args[1], os.Args[2:])
	}
	directory := flag.String("dir", "", "keep data, certificates and logs here; by default in a temporary directory that is removed at the end")
	flag.Parse()
	log.SetFlags(0)
	log.SetPrefix("controlplane: ")
	if err := serve(*directory); err != nil {
		log.Fatal(err)
	}
}

func serve(directory string) error {
	if directory == "" {
		temporary, err := os.MkdirTemp("", "controlplane-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temporary)
		directory = temporary
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGTERM, syscall.SIGINT)

	plane, err := newPlane(directory)
	if err != nil {
		return err
	}
	defer plane.stop()
	if err := plane.start(); err != nil {
		return err
	}
	if err := say(plane.facts); err != nil {
		return err
	}
	return obey(plane, orders(os.Stdin), interrupted)
}

// orders gives the lines of a file, and is closed at its end.
func orders(file *os.File) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(file); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	return lines
}

func obey(plane *plane, orders <-chan string, interrupted <-chan os.Signal) error {
	for {
		select {
		case <-interrupted:
			return nil
		case failed := <-plane.failed:
			return failed
		case order, open := <-orders:
			if !open {
				return nil
			}
			if err := carryOut(plane, order); err != nil {
				return err
			}
			if err := say(map[string]string{"done": order}); err != nil {
				return err
			}
		}
	}
}

func carryOut(plane *plane, order string) error {
	switch order {
	case "down":
		plane.apiServer.kill()
		return nil
	case "up":
		return errors.Join(plane.apiServer.start(), plane.awaitReady())
	default:
		return fmt.Errorf("no such order: %q; there are up and down", order)
	}
}

func say(what any) error {
	return json.NewEncoder(os.Stdout).Encode(what)
}
