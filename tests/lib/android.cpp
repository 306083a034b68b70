// SPDX-License-Identifier: GPL-2.0-only
/*
 * android.cpp: a program as it is written for Android's libdmabufheap, class and functions both.
 * Prints TAP; needs the heap "system" or ION.
 */
#include <BufferAllocator/BufferAllocator.h>
#include <BufferAllocator/BufferAllocatorWrapper.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

static int number;
static int failed;

static void ok(bool condition, const char *text)
{
	number++;
	failed += !condition;
	printf("%sok %d - %s\n", condition ? "" : "not ", number, text);
}

static_assert(!std::is_copy_constructible<BufferAllocator>::value, "an allocator is no value");
static_assert(!std::is_copy_assignable<BufferAllocator>::value, "an allocator is no value");
static_assert(!std::is_move_constructible<BufferAllocator>::value, "an allocator stays");

static void test_alloc(BufferAllocator &allocator)
{
	const size_t len = 1024 * 1024;
	int fd = allocator.Alloc(kDmabufSystemHeapName, len);
	void *bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	std::vector<char> zeroes(len);

	ok(fd >= 0 && bytes != MAP_FAILED, "a buffer of the system heap can be mapped");
	if (bytes == MAP_FAILED)
		return;
	ok(allocator.CpuSyncStart(fd) == 0, "reading starts");
	ok(!memcmp(bytes, zeroes.data(), len), "it is all zero");
	ok(allocator.CpuSyncEnd(fd) == 0, "reading ends");
	ok(allocator.CpuSyncStart(fd, kSyncReadWrite) == 0, "writing starts");
	memset(bytes, 0xaa, len);
	ok(allocator.CpuSyncEnd(fd, kSyncReadWrite) == 0, "writing ends");
	munmap(bytes, len);
	close(fd);
}

static void test_alloc_arguments(BufferAllocator &allocator)
{
	std::string name = "system";
	int fds[] = {
		allocator.Alloc(name, 4096, 0),
		allocator.Alloc(name, 4096, 0, 0),
		allocator.AllocSystem(true, 4096),
		allocator.AllocSystem(false, 4096, 0),
		allocator.AllocSystem(false, 4096, 0, 0),
	};
	bool all = true;

	for (int fd : fds) {
		all = all && fd >= 0;
		close(fd);
	}
	ok(all, "all ways to call Alloc() and AllocSystem()");
}

static void test_errors(BufferAllocator &allocator)
{
	errno = 0;
	ok(allocator.Alloc("no-such-heap", 4096) == -ENOENT && errno == ENOENT,
	   "a heap that is not there is ENOENT");
	ok(allocator.Alloc("system", 0) == -EINVAL, "nothing is EINVAL");
}

static int custom_sync(int, int, void *data)
{
	++*static_cast<int *>(data);
	return 0;
}

/* Of no use but with ION of before 4.12. */
static void test_custom_sync(BufferAllocator &allocator, bool legacy)
{
	int fd = allocator.Alloc("system", 4096), by_function = 0, by_lambda = 0;
	auto lambda = [&by_lambda](int, int, void *) { return ++by_lambda - 1; };

	ok(allocator.CpuSyncStart(fd, kSyncWrite, custom_sync, &by_function) == 0,
	   "an access by a function starts");
	ok(allocator.CpuSyncEnd(fd, kSyncWrite, lambda) == 0, "and ends by a lambda");
	ok(by_function == legacy && by_lambda == legacy,
	   "which are called for legacy ION alone");
	close(fd);
}

static void test_names(BufferAllocator &allocator)
{
	int fd = allocator.Alloc("system", 4096);

	ok(BufferAllocator::DmabufSetName(fd, "frame") == 0, "a buffer gets a name");
	ok(allocator.DmabufSetName(fd, std::string(40, 'x')) == 0, "a long one as well");
	errno = 0;
	ok(BufferAllocator::DmabufSetName(-1, "none") == -1 && errno, "no buffer gets none");
	close(fd);
}

static void test_heap_list(bool ion)
{
	auto list = BufferAllocator::GetDmabufHeapList();

	ok(ion || list.find("system") != list.end(), "the list has the system heap");
	ok(ion || list.find(".") == list.end(), "and nothing that is no heap");
	ok(BufferAllocator::CheckIonSupport() == ion, "there is ION, or not");
}

static void test_mapping(BufferAllocator &allocator)
{
	ok(allocator.MapNameToIonHeap("system", "", 0, ~0) == 0,
	   "the system heap has a mapping");
	ok(allocator.MapNameToIonHeap("system", "ion_system_heap", 1, 1, 1) == 0,
	   "a full one");
	test_alloc_arguments(allocator);
}

/* What one language makes, the other uses and frees. */
static void test_both_languages()
{
	BufferAllocator *made_by_c = CreateDmabufHeapBufferAllocator();
	BufferAllocator *made_here = new (std::nothrow) BufferAllocator();
	int fd = made_by_c->Alloc("system", 4096),
	    other = DmabufHeapAlloc(made_here, "system", 1, 0, 0);

	ok(fd >= 0, "the class works on what the function has made");
	ok(other >= 0, "and the functions on an object of the class");
	close(fd);
	close(other);
	delete made_by_c;
	FreeDmabufHeapBufferAllocator(made_here);
}

static void test_threads(BufferAllocator &allocator)
{
	std::vector<std::thread> threads;
	int failures = 0;

	for (int i = 0; i < 8; i++)
		threads.emplace_back([&allocator, &failures]() {
			for (int round = 0; round < 100; round++) {
				int fd = allocator.AllocSystem(round % 2, 4096);

				if (fd < 0)
					__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
				close(fd);
			}
		});
	for (auto &thread : threads)
		thread.join();
	ok(!failures, "threads share an allocator");
}

int main()
{
	auto allocator = std::make_unique<BufferAllocator>();
	const char *ion = getenv("ION");
	BufferAllocator on_the_stack;

	test_alloc(on_the_stack);
	test_alloc_arguments(*allocator);
	if (!ion)
		test_errors(*allocator);
	test_custom_sync(*allocator, ion && !strcmp(ion, "legacy"));
	test_names(*allocator);
	test_heap_list(ion);
	test_mapping(*allocator);
	test_both_languages();
	test_threads(*allocator);
	printf("1..%d\n", number);
	return failed != 0;
}
