// SPDX-License-Identifier: GPL-2.0-only
/* test_android.c: Android's interface, on heaps and on ION of either kind. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <BufferAllocator/BufferAllocatorWrapper.h>

#include "android_kernel.h"

#define KIB 1024

static const char *const system_only[] = { "system", NULL };
static const char *const ordinary[] = { "system", "system-uncached", "cma", "forbidden",
					NULL };
static const char *const no_heap[] = { NULL };

static BufferAllocator *start(enum fake_ion ion, const char *const *heaps)
{
	BufferAllocator *allocator;

	fake_start(ion, heaps);
	allocator = CreateDmabufHeapBufferAllocator();
	assert_non_null(allocator);
	return allocator;
}

static void stop(BufferAllocator *allocator)
{
	FreeDmabufHeapBufferAllocator(allocator);
	fake_stop();
}

/* An allocation that works, of a buffer that is wanted for nothing else. */
static void allocates(BufferAllocator *allocator, const char *name, size_t len)
{
	int fd = DmabufHeapAlloc(allocator, name, len, 0, 0);

	assert_true(fd >= 0);
	assert_int_equal(fake.len, len);
	close(fd);
}

/* One that does not: the result and errno agree. */
static void refuses(BufferAllocator *allocator, const char *name, int err)
{
	errno = 0;
	assert_int_equal(DmabufHeapAlloc(allocator, name, KIB, 0, 0), -err);
	assert_int_equal(errno, err);
}

/* ---- heaps ---- */

static void test_heap(void **unused)
{
	BufferAllocator *allocator = start(ION_NONE, ordinary);
	struct stat st;
	int fd;

	(void)unused;
	fd = DmabufHeapAlloc(allocator, "cma", 5 * KIB, 0, 0);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 8 * KIB);
	assert_int_equal(fake.len, 5 * KIB);
	close(fd);
	stop(allocator);
}

static void test_heap_is_opened_once(void **unused)
{
	BufferAllocator *allocator = start(ION_NONE, ordinary);

	(void)unused;
	allocates(allocator, "system", KIB);
	fake.opens = 0;
	allocates(allocator, "system", 2 * KIB);
	assert_int_equal(fake.opens, 0);
	assert_int_equal(fake.from_heaps, 2);
	stop(allocator);
}

static void test_true_errors(void **unused)
{
	BufferAllocator *allocator = start(ION_NONE, ordinary);

	(void)unused;
	refuses(allocator, "no-such-heap", ENOENT);
	refuses(allocator, "forbidden", EACCES);
	refuses(allocator, "../ion", EINVAL);
	refuses(allocator, NULL, EINVAL);
	refuses(NULL, "system", EINVAL);
	fake.heap_error = ENOMEM;
	refuses(allocator, "system", ENOMEM);
	fake.heap_error = ENODEV;
	refuses(allocator, "system", ENODEV);
	stop(allocator);
}

static void test_true_errors_beside_ion(void **unused)
{
	BufferAllocator *allocator = start(ION_MODERN, ordinary);

	(void)unused;
	refuses(allocator, "no-such-heap", ENOENT);
	refuses(allocator, "forbidden", EACCES);
	fake.heap_error = ENOMEM;
	refuses(allocator, "cma", ENOMEM);
	stop(allocator);
}

static void test_no_heaps(void **unused)
{
	BufferAllocator *allocator = start(ION_NONE, NULL);

	(void)unused;
	refuses(allocator, "system", ENOSYS);
	assert_int_equal(DmabufHeapAllocSystem(allocator, false, KIB, 0, 0), -ENOSYS);
	stop(allocator);
}

static void test_interrupted(void **unused)
{
	BufferAllocator *allocator = start(ION_NONE, ordinary);

	(void)unused;
	fake.interrupts = 3;
	allocates(allocator, "system", KIB);
	stop(allocator);
}

static void test_system(void **unused)
{
	BufferAllocator *allocator = start(ION_NONE, ordinary);
	int cached = DmabufHeapAllocSystem(allocator, true, KIB, 0, 0);

	(void)unused;
	assert_true(cached >= 0);
	assert_int_equal(fake.opens, 1);
	close(cached);
	close(DmabufHeapAllocSystem2(allocator, false, KIB, 0));
	assert_int_equal(fake.opens, 2);
	assert_int_equal(fake.from_heaps, 2);
	stop(allocator);
}

static void test_system_without_uncached(void **unused)
{
	BufferAllocator *allocator = start(ION_NONE, system_only);
	int fd = DmabufHeapAllocSystem(allocator, false, KIB, 0, 0);

	(void)unused;
	assert_true(fd >= 0);
	assert_int_equal(fake.from_heaps, 1);
	close(fd);
	stop(allocator);
}

static void test_mapping_beside_heap(void **unused)
{
	BufferAllocator *allocator = start(ION_MODERN, ordinary);

	(void)unused;
	assert_int_equal(MapDmabufHeapNameToIonHeap(allocator, "cma", "no-such-heap", 0, 0, 0),
			 0);
	allocates(allocator, "cma", KIB);
	assert_int_equal(fake.from_heaps, 1);
	stop(allocator);
}

static void test_mapping_without_ion(void **unused)
{
	BufferAllocator *allocator = start(ION_NONE, ordinary);

	(void)unused;
	assert_int_equal(MapDmabufHeapNameToIonHeap(allocator, "video", "camera", 0, 0, 0), 0);
	refuses(allocator, "video", ENOENT);
	stop(allocator);
}

/* ---- modern ION ---- */

static void test_modern(void **unused)
{
	BufferAllocator *allocator = start(ION_MODERN, no_heap);

	(void)unused;
	assert_int_equal(MapDmabufHeapNameToIonHeap(allocator, "video", "camera", 6, 0, 0), 0);
	allocates(allocator, "video", 3 * KIB);
	assert_int_equal(fake.from_ion, 1);
	assert_int_equal(fake.mask, 1 << 5);
	assert_int_equal(fake.flags, 6);
	close(DmabufHeapAlloc(allocator, "video", KIB, 9, 0));
	assert_int_equal(fake.flags, 15);
	stop(allocator);
}

static void test_modern_system(void **unused)
{
	BufferAllocator *allocator = start(ION_MODERN, NULL);

	(void)unused;
	close(DmabufHeapAllocSystem(allocator, true, KIB, 0, 0));
	assert_int_equal(fake.mask, 1 << 3);
	assert_int_equal(fake.flags, 1);
	close(DmabufHeapAllocSystem(allocator, false, KIB, 0, 0));
	assert_int_equal(fake.mask, 1 << 3);
	assert_int_equal(fake.flags, 0);
	assert_int_equal(fake.from_ion, 2);
	stop(allocator);
}

static void test_modern_own_name(void **unused)
{
	BufferAllocator *allocator = start(ION_MODERN, no_heap);

	(void)unused;
	allocates(allocator, "camera", KIB);
	assert_int_equal(fake.mask, 1 << 5);
	refuses(allocator, "beyond", ENOENT);
	fake.ion_error = ENOMEM;
	refuses(allocator, "camera", ENOMEM);
	stop(allocator);
}

static void test_modern_mappings(void **unused)
{
	BufferAllocator *allocator = start(ION_MODERN, no_heap);

	(void)unused;
	errno = 0;
	assert_int_equal(MapDmabufHeapNameToIonHeap(allocator, "video", "none", 0, 1, 0),
			 -ENOENT);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(MapDmabufHeapNameToIonHeap(allocator, "video", "", 0, 0, 0), -EINVAL);
	assert_int_equal(MapDmabufHeapNameToIonHeap(allocator, NULL, "", 0, 1, 0), -EINVAL);
	assert_int_equal(MapDmabufHeapNameToIonHeap(NULL, "video", "", 0, 1, 0), -EINVAL);
	refuses(allocator, "video", ENOENT);
	assert_int_equal(MapDmabufHeapNameToIonHeap(allocator, "video", "", 2, ~0U, 4), 0);
	allocates(allocator, "video", KIB);
	assert_int_equal(fake.mask, ~0U);
	assert_int_equal(fake.flags, 4);
	assert_int_equal(MapDmabufHeapNameToIonHeap(allocator, "video", "camera", 2, 0, 0), 0);
	allocates(allocator, "video", KIB);
	assert_int_equal(fake.mask, 1 << 5);
	stop(allocator);
}

static void test_ion_helps_out(void **unused)
{
	BufferAllocator *allocator = start(ION_MODERN, system_only);

	(void)unused;
	fake.heap_error = ENOMEM;
	allocates(allocator, "system", KIB);
	assert_int_equal(fake.from_ion, 1);
	fake.ion_error = EPERM;
	refuses(allocator, "system", ENOMEM);
	stop(allocator);
}

/* ---- legacy ION ---- */

static void test_legacy(void **unused)
{
	BufferAllocator *allocator = start(ION_LEGACY, NULL);
	int fd;

	(void)unused;
	assert_int_equal(MapDmabufHeapNameToIonHeap(allocator, "video", "camera", 2, 0x30, 8),
			 0);
	fd = DmabufHeapAlloc(allocator, "video", 3 * KIB, 1, 65536);
	assert_true(fd >= 0);
	assert_int_equal(fake.len, 3 * KIB);
	assert_int_equal(fake.align, 65536);
	assert_int_equal(fake.mask, 0x30);
	assert_int_equal(fake.flags, 9);
	assert_int_equal(fake.handles, 0);
	close(fd);
	stop(allocator);
}

static void test_legacy_system(void **unused)
{
	BufferAllocator *allocator = start(ION_LEGACY, NULL);

	(void)unused;
	close(DmabufHeapAllocSystem(allocator, true, KIB, 0, 0));
	assert_int_equal(fake.mask, 1);
	assert_int_equal(fake.flags, 1);
	close(DmabufHeapAllocSystem(allocator, false, KIB, 0, 0));
	assert_int_equal(fake.flags, 0);
	assert_int_equal(fake.from_ion, 2);
	stop(allocator);
}

static void test_legacy_errors(void **unused)
{
	BufferAllocator *allocator = start(ION_LEGACY, NULL);

	(void)unused;
	refuses(allocator, "video", ENOSYS);
	assert_int_equal(MapDmabufHeapNameToIonHeap(allocator, "video", "camera", 0, 0, 0),
			 -EINVAL);
	fake.share_error = EMFILE;
	refuses(allocator, "system", EMFILE);
	assert_int_equal(fake.handles, 0);
	fake.ion_error = ENOMEM;
	refuses(allocator, "system", ENOMEM);
	stop(allocator);
}

struct custom {
	int ion_fd;
	int buffer;
	bool was_ion;
	int result;
};

static int custom_sync(int ion_fd, int buffer, void *data)
{
	struct custom *custom = data;

	custom->ion_fd = ion_fd;
	custom->buffer = buffer;
	custom->was_ion = fake_is_ion(ion_fd);
	return custom->result;
}

static void test_legacy_sync(void **unused)
{
	BufferAllocator *allocator = start(ION_LEGACY, NULL);
	struct custom custom = { .result = -ERANGE };

	(void)unused;
	assert_int_equal(DmabufHeapCpuSyncStart(allocator, 0, kSyncRead, NULL, NULL), 0);
	assert_int_equal(DmabufHeapCpuSyncEnd(allocator, 0, kSyncRead, NULL, NULL), 0);
	assert_int_equal(fake.ion_syncs, 2);
	assert_int_equal(DmabufHeapCpuSyncStart(allocator, 5, kSyncRead, custom_sync, &custom),
			 -ERANGE);
	assert_true(custom.was_ion);
	assert_int_equal(custom.buffer, 5);
	assert_int_equal(fcntl(custom.ion_fd, F_GETFD), -1);
	custom.result = 0;
	assert_int_equal(DmabufHeapCpuSyncEnd(allocator, 5, kSyncRead, custom_sync, &custom),
			 0);
	assert_int_equal(fake.ion_syncs, 2);
	allocates(allocator, "system", KIB);
	stop(allocator);
}

/* ---- using ---- */

static void test_sync(void **unused)
{
	BufferAllocator *allocator = start(ION_MODERN, ordinary);
	struct custom custom = { .ion_fd = -1 };

	(void)unused;
	assert_int_equal(
		DmabufHeapCpuSyncStart(allocator, 0, kSyncReadWrite, custom_sync, &custom), 0);
	assert_int_equal(fake.sync_flags, 3);
	assert_int_equal(DmabufHeapCpuSyncEnd(allocator, 0, kSyncWrite, custom_sync, &custom),
			 0);
	assert_int_equal(fake.sync_flags, 4 | 2);
	assert_int_equal(custom.ion_fd, -1);
	fake.interrupts = 2;
	assert_int_equal(DmabufHeapCpuSyncStart2(allocator, 0, kSyncRead), 0);
	assert_int_equal(fake.sync_flags, 1);
	fake.sync_error = EPERM;
	errno = 0;
	assert_int_equal(DmabufHeapCpuSyncEnd2(allocator, 0, kSyncRead), -EPERM);
	assert_int_equal(errno, EPERM);
	assert_int_equal(DmabufHeapCpuSyncEnd2(NULL, 0, kSyncRead), -EINVAL);
	stop(allocator);
}

static void test_name(void **unused)
{
	BufferAllocator *allocator = start(ION_NONE, ordinary);

	(void)unused;
	assert_int_equal(DmabufSetName(allocator, 0, "camera"), 0);
	assert_string_equal(fake.name, "camera");
	assert_int_equal(
		DmabufSetName(allocator, 0, "0123456789012345678901234567890123456789"), 0);
	assert_string_equal(fake.name, "0123456789012345678901234567890");
	errno = 0;
	assert_int_equal(DmabufSetName(allocator, 0, NULL), -1);
	assert_int_equal(errno, EINVAL);
	fake.interrupts = 1;
	assert_int_equal(DmabufSetName(allocator, 0, "again"), 0);
	stop(allocator);
}

static void test_names(void **unused)
{
	BufferAllocator *allocator = start(ION_NONE, ordinary);
	char *names = dmabufheap_names();

	(void)unused;
	assert_non_null(names);
	assert_memory_equal(names, "cma\0forbidden\0system\0system-uncached\0", 38);
	free(names);
	stop(allocator);
	fake_start(ION_NONE, NULL);
	assert_null(dmabufheap_names());
	fake_stop();
}

static void test_ion_support(void **unused)
{
	(void)unused;
	fake_start(ION_LEGACY, ordinary);
	assert_true(CheckIonSupport());
	fake_stop();
	fake_start(ION_NONE, ordinary);
	assert_false(CheckIonSupport());
	fake_stop();
}

/* ---- threads ---- */

#define THREADS 8
#define ROUNDS 50

static void *allocate_often(void *allocator)
{
	static const char *const names[] = { "system", "system-uncached", "cma" };

	for (int i = 0; i < ROUNDS; i++) {
		int fd = DmabufHeapAlloc(allocator, names[i % 3], KIB, 0, 0);

		if (fd < 0)
			return allocator;
		MapDmabufHeapNameToIonHeap(allocator, "video", "camera", i, 0, 0);
		close(DmabufHeapAlloc(allocator, "video", KIB, 0, 0));
		close(fd);
	}
	return NULL;
}

static void test_threads(void **unused)
{
	BufferAllocator *allocator = start(ION_MODERN, ordinary);
	pthread_t threads[THREADS];
	void *failed;

	(void)unused;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, allocate_often, allocator),
				 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(fake.from_heaps, THREADS * ROUNDS);
	fake.opens = 0;
	allocates(allocator, "cma", KIB);
	assert_int_equal(fake.opens, 0);
	stop(allocator);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heap),
		cmocka_unit_test(test_heap_is_opened_once),
		cmocka_unit_test(test_true_errors),
		cmocka_unit_test(test_true_errors_beside_ion),
		cmocka_unit_test(test_no_heaps),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_system),
		cmocka_unit_test(test_system_without_uncached),
		cmocka_unit_test(test_mapping_beside_heap),
		cmocka_unit_test(test_mapping_without_ion),
		cmocka_unit_test(test_modern),
		cmocka_unit_test(test_modern_system),
		cmocka_unit_test(test_modern_own_name),
		cmocka_unit_test(test_modern_mappings),
		cmocka_unit_test(test_ion_helps_out),
		cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_legacy_system),
		cmocka_unit_test(test_legacy_errors),
		cmocka_unit_test(test_legacy_sync),
		cmocka_unit_test(test_sync),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ion_support),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
