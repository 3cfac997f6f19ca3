//go:build !linux

package main

import "syscall"

// attributesOfChild puts a child in a process group of its own, so that an interrupt at the terminal reaches only us.
func attributesOfChild() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
