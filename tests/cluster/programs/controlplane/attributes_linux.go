package main

import "syscall"

// attributesOfChild puts a child in a process group of its own, so that an interrupt at the terminal reaches only us,
// and has the kernel kill it should we be killed.
func attributesOfChild() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
