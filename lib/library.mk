# SPDX-License-Identifier: GPL-2.0-only
#
# For programs that bring the library along, as virtual machines have none: its sources, and what
# they are compiled with.  $(TOP) is the project's folder.
LIBRARY := $(wildcard $(TOP)/lib/*.c)
LIBRARY_HEADERS := $(wildcard $(TOP)/lib/*.h $(TOP)/include/*.h)
LIBRARY_VERSION := $(shell sed -n "s/^  version: '\(.*\)',/\1/p" $(TOP)/meson.build)
LIBRARY_CFLAGS := -D_GNU_SOURCE -DDMAHEAP_VERSION='"$(LIBRARY_VERSION)"' -I$(TOP)/include \
	-I$(TOP)/lib -I$(TOP)/kernel/include/uapi
