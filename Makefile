# SPDX-License-Identifier: GPL-2.0-only
#
# dmaheap: everything that one types.  "make help" lists it.

.PHONY: help setup run bench test test-debug fuzz check user install-user modules install uninstall clean

help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)

#: make setup      install what is needed here (Debian packages)
setup:
	@./setup

#: make run        camera to screen on a stock kernel, in a virtual machine: out/frame.png
run: setup
	@examples/run

#: make bench      measure beside the kernel's own heap and udmabuf: out/bench.json, plots
bench: setup
	@bench/run

#: make test       all tests, on all kernels
test: setup
	@tests/run

#: make test-debug the tests on kernels that find mistakes (KASAN, lockdep, KCSAN, ...)
test-debug: setup
	@tests/run -j 2 -k "debug kcsan"

#: make fuzz       random calls for 10 minutes, on the kernel that finds mistakes
fuzz: setup
	@fuzz/run

#: make check      what can be checked without running: sparse, W=1, kernel-doc, style
check: setup
	@tests/check

#: make user       the library and the tool, in out/user
user: setup
	@lib/build out/user

#: make install-user  install these, with pages and completions (DESTDIR=; meson's prefix)
install-user: user
	@meson install -C out/user --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

#: make modules    the modules for the running kernel, in kernel/ (KDIR=: for another)
modules:
	$(MAKE) -C kernel modules

#: make install    install these modules; then: modprobe dmaheap_system
install: modules
	$(MAKE) -C kernel install

#: make uninstall  remove them again
uninstall:
	$(MAKE) -C kernel uninstall

#: make clean      remove all that was built
clean:
	$(MAKE) -C kernel clean
	$(MAKE) -C examples clean
	$(RM) -r out
