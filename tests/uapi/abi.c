// SPDX-License-Identifier: GPL-2.0-only
/* DMA_HEAP_IOCTL_ALLOC: each rule of the ABI header. */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

static size_t page;

static int count_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int alloc(struct dma_heap_allocation_data *data)
{
	static int heap = -1;

	if (heap < 0)
		heap = heap_open();
	return ioctl(heap, DMA_HEAP_IOCTL_ALLOC, data);
}

static int alloc_len(uint64_t len)
{
	struct dma_heap_allocation_data data = { .len = len, .fd_flags = O_RDWR };

	return alloc(&data) ? -1 : (int)data.fd;
}

static void node(void)
{
	struct stat st;

	must(stat(heap_node(), &st));
	check(S_ISCHR(st.st_mode));
	check_equal(st.st_mode & 07777, 0660);
	check_equal(st.st_uid, 0);
	check_equal(st.st_gid, 0);
}

static void class_name(void)
{
	/* Where the kernel has a framework of its own, the plain class is its. */
	const char *class = strstr(heap_name(), ".dmaheap") ? "dmaheap" : "dma_heap";
	char path[256];

	snprintf(path, sizeof(path), "/sys/class/%s/%s", class, heap_name());
	check(!access(path, F_OK));
}

static void read_only_node(void)
{
	int heap = must(open(heap_node(), O_RDONLY));

	must(heap_try(heap, page));
}

static void sizes(void)
{
	static const struct {
		uint64_t ask, get;
	} rows[] = {
		{ 1, 1 },      { 4095, 1 },   { 4096, 1 },	    { 4097, 2 },
		{ 65536, 16 }, { 65537, 17 }, { 3 * MIB + 1, 769 },
	};
	unsigned int i;

	check_equal(page, 4096); /* the table's unit */
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = must(alloc_len(rows[i].ask));

		check_equal(lseek(fd, 0, SEEK_END), rows[i].get * page);
		close(fd);
	}
}

static void length_zero(void)
{
	check_errno(alloc_len(0), EINVAL);
}

static void length_overflow(void)
{
	check_errno(alloc_len(UINT64_MAX), EINVAL);
	check_errno(alloc_len(UINT64_MAX - page + 2), EINVAL);
}

static void length_huge(void)
{
	uint64_t half = meminfo("MemTotal") / 2;
	long long before = pages_given_out();

	check_errno(alloc_len(UINT64_MAX - page + 1), ENOMEM);
	check_errno(alloc_len(1ULL << 63), ENOMEM);
	check_errno(alloc_len((1ULL << 63) - page), ENOMEM);
	check_errno(alloc_len(4 * half), ENOMEM);
	check_errno(alloc_len(half + MIB), ENOMEM);
	/* Refused before anything was taken. */
	check(pages_given_out() < before + 4096);
}

/* Less than half of memory, but more than there is just now. */
static void length_too_large_now(void)
{
	const size_t theirs = available() - meminfo("MemTotal") / 4;
	char *bytes = must(mmap(NULL, theirs, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
	long long before = pages_given_out();

	check_errno(alloc_len(meminfo("MemTotal") / 5 * 2), ENOMEM);
	check(pages_given_out() < before + 4096);
	munmap(bytes, theirs);
}

static void fd_not_zero(void)
{
	struct dma_heap_allocation_data data = { .len = page, .fd = 1 };

	check_errno(alloc(&data), EINVAL);
	data.fd = UINT32_MAX;
	check_errno(alloc(&data), EINVAL);
}

static void fd_flags_unknown(void)
{
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		struct dma_heap_allocation_data data = {
			.len = page,
			.fd_flags = 1U << bit,
		};

		if (data.fd_flags & (O_CLOEXEC | O_ACCMODE))
			continue;
		check_errno(alloc(&data), EINVAL);
	}
}

static void heap_flags_unknown(void)
{
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		struct dma_heap_allocation_data data = {
			.len = page,
			.heap_flags = 1ULL << bit,
		};

		check_errno(alloc(&data), EINVAL);
	}
}

static void access_mode(void)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct dma_heap_allocation_data data = {
			.len = page,
			.fd_flags = modes[i],
		};

		must(alloc(&data));
		check_equal(fcntl(data.fd, F_GETFL) & O_ACCMODE, modes[i]);
	}
}

static void close_on_exec(void)
{
	struct dma_heap_allocation_data data = { .len = page };

	must(alloc(&data));
	check_equal(fcntl(data.fd, F_GETFD) & FD_CLOEXEC, 0);
	data.fd = 0;
	data.fd_flags = O_CLOEXEC;
	must(alloc(&data));
	check_equal(fcntl(data.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

#define ALLOC_OF(size) _IOC(_IOC_READ | _IOC_WRITE, DMA_HEAP_IOC_MAGIC, 0, size)

static void shorter_structure(void)
{
	struct {
		struct dma_heap_allocation_data data;
	} arg = { .data = { .len = page, .fd_flags = O_RDWR, .heap_flags = 1 } };
	int heap = heap_open();

	/* Ends before heap_flags: its garbage is not ours to read. */
	must(ioctl(heap, ALLOC_OF(16), &arg));
	check_equal(fcntl(arg.data.fd, F_GETFL) & O_ACCMODE, O_RDWR);
	/* Ends before fd_flags, which then reads as 0. */
	arg.data.fd = 0;
	must(ioctl(heap, ALLOC_OF(12), &arg));
	check_equal(fcntl(arg.data.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
}

static void too_short_structure(void)
{
	struct dma_heap_allocation_data data = { .len = page };
	int heap = heap_open(), fds = count_fds();
	unsigned int size;

	for (size = 0; size < 12; size++)
		check_errno(ioctl(heap, ALLOC_OF(size), &data), EINVAL);
	check_equal(count_fds(), fds);
}

static void longer_structure(void)
{
	struct {
		struct dma_heap_allocation_data data;
		uint64_t beyond[1000];
	} arg = { .data = { .len = page } };
	int heap = heap_open();
	unsigned int i;

	for (i = 0; i < 1000; i++)
		arg.beyond[i] = 0x1111111111111111ULL * (i % 16);
	must(ioctl(heap, ALLOC_OF(sizeof(arg)), &arg));
	check(fcntl(arg.data.fd, F_GETFD) >= 0);
	for (i = 0; i < 1000; i++)
		check(arg.beyond[i] == 0x1111111111111111ULL * (i % 16));
}

static void unknown_ioctl(void)
{
	struct dma_heap_allocation_data data = { .len = page };
	int heap = heap_open();
	unsigned int nr;

	for (nr = 1; nr < 0x80; nr++)
		check_errno(ioctl(heap, _IOWR('H', nr, data), &data), ENOTTY);
	check_errno(ioctl(heap, _IOWR('h', 0, data), &data), ENOTTY);
	check_errno(ioctl(heap, _IOR('H', 0, data), &data), ENOTTY);
	check_errno(ioctl(heap, _IOW('H', 0, data), &data), ENOTTY);
	check_errno(ioctl(heap, _IO('H', 0), &data), ENOTTY);
	check_errno(ioctl(heap, 0, &data), ENOTTY);
	check_errno(ioctl(heap, ~0U, &data), ENOTTY);
}

static void fault_on_the_way_in(void)
{
	int heap = heap_open();

	check_errno(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, NULL), EFAULT);
	check_errno(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, (void *)-4096L), EFAULT);
}

static void fault_on_the_way_back(void)
{
	struct dma_heap_allocation_data *data = must(
		mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int heap = heap_open(), fds = count_fds(), buffers = table_length();

	data->len = page;
	must(mprotect(data, page, PROT_READ));
	check_errno(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, data), EFAULT);
	check_equal(count_fds(), fds);
	check_equal(table_length(), buffers);
}

static void no_fd_left(void)
{
	int heap = heap_open(), buffers = table_length();
	struct rlimit limit = { .rlim_cur = count_fds(), .rlim_max = 1024 };

	/* Descriptors are dense here, so that their count is the next one. */
	while (fcntl(limit.rlim_cur, F_GETFD) >= 0)
		limit.rlim_cur++;
	must(setrlimit(RLIMIT_NOFILE, &limit));
	check_errno(heap_try(heap, page), EMFILE);
	limit.rlim_cur = 1024;
	must(setrlimit(RLIMIT_NOFILE, &limit));
	check_equal(table_length(), buffers);
}

static void zeroed(void)
{
	const size_t len = 4 * MIB;
	int round, i, fds[16];

	for (round = 0; round < 2; round++) {
		for (i = 0; i < 16; i++) {
			void *bytes;

			/* In the second round the pages are those that were filled. */
			fds[i] = heap_buffer(len - i * page);
			bytes = buffer_map(fds[i], len - i * page);
			check(is_zero(bytes, len - i * page));
			memset(bytes, 0xa5, len - i * page);
			munmap(bytes, len - i * page);
		}
		for (i = 0; i < 16; i++)
			close(fds[i]);
	}
}

/* Pages that were a process's before; the process marks most of memory first. */
static void zeroed_after_others(void)
{
	const size_t len = 64 * MIB, theirs = meminfo("MemAvailable") / 2;
	char *bytes = must(mmap(NULL, theirs, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int fd;

	memset(bytes, 0x5a, theirs);
	munmap(bytes, theirs);
	fd = heap_buffer(len);
	check(is_zero(buffer_map(fd, len), len));
}

static void outlives_the_heap_fd(void)
{
	int heap = heap_open(), fd = must(heap_try(heap, page));
	char *bytes;

	close(heap);
	bytes = buffer_map(fd, page);
	bytes[0] = 1;
	check_equal(bytes[0], 1);
}

/* A 32-bit program on a 64-bit kernel. */
#if defined(__x86_64__)
static void compat(void) /* int 0x80 is how one calls */
{
	struct dma_heap_allocation_data *data =
		must(mmap(NULL, page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
	int heap = heap_open();
	int result;

	data->len = page + 1;
	data->fd_flags = O_RDWR;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(54), "b"(heap), "c"(DMA_HEAP_IOCTL_ALLOC), "d"(data)
			 : "memory", "r8", "r9", "r10", "r11");
	if (result == -ENOSYS)
		tap_skip("this kernel runs no 32-bit programs");
	check_equal(result, 0);
	check_equal(lseek(data->fd, 0, SEEK_END), 2 * page);
}
#elif defined(__aarch64__)
#define COMPAT_HEAP 200 /* fd */
#define COMPAT_FAILED 100
#define COMPAT_NOT_RUN 101
#define COMPAT_BASE 0x10000

/* A process here cannot change its width, so this is one: it ends with the buffer's pages. */
static void compat_exec(uint64_t len)
{
	struct {
		Elf32_Ehdr header;
		Elf32_Phdr segment;
		uint32_t code[18];
		struct dma_heap_allocation_data data;
	} __attribute__((packed)) program = {
		.header = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32,
				     ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_ARM,
			.e_version = EV_CURRENT,
			.e_entry = COMPAT_BASE + sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr),
			.e_phoff = sizeof(Elf32_Ehdr),
			.e_flags = EF_ARM_EABI_VER5,
			.e_ehsize = sizeof(Elf32_Ehdr),
			.e_phentsize = sizeof(Elf32_Phdr),
			.e_phnum = 1,
		},
		.segment = {
			.p_type = PT_LOAD,
			.p_vaddr = COMPAT_BASE,
			.p_filesz = sizeof(program),
			.p_memsz = sizeof(program),
			.p_flags = PF_R | PF_W | PF_X,
		},
		.code = {
			0xe3a00000 | COMPAT_HEAP,	/* mov r0, #COMPAT_HEAP */
			0xe59f1034,			/* ldr r1, the command */
			0xe59f2034,			/* ldr r2, the address of data */
			0xe3a07036,			/* mov r7, #54 (ioctl) */
			0xef000000,			/* svc #0 */
			0xe3500000,			/* cmp r0, #0 */
			0x13a00000 | COMPAT_FAILED,	/* movne r0, #COMPAT_FAILED */
			0x1a000005,			/* bne the exit */
			0xe5920008,			/* ldr r0, [r2, #8] (fd) */
			0xe3a01000,			/* mov r1, #0 */
			0xe3a02000 | SEEK_END,		/* mov r2, #SEEK_END */
			0xe3a07013,			/* mov r7, #19 (lseek) */
			0xef000000,			/* svc #0 */
			0xe1a00620,			/* lsr r0, r0, #12 */
			0xe3a07001,			/* mov r7, #1 (exit) */
			0xef000000,			/* svc #0 */
			DMA_HEAP_IOCTL_ALLOC,
			COMPAT_BASE + sizeof(program) - sizeof(program.data),
		},
		.data = { .len = len, .fd_flags = O_RDWR },
	};
	char *const nothing[] = { NULL };
	int file = must(memfd_create("compat", MFD_CLOEXEC));

	check_equal(write(file, &program, sizeof(program)), sizeof(program));
	must(dup2(heap_open(), COMPAT_HEAP));
	fexecve(file, nothing, nothing);
	_exit(errno == ENOEXEC ? COMPAT_NOT_RUN : COMPAT_FAILED);
}

static void compat(void)
{
	int status;

	if (!must(fork()))
		compat_exec(page + 1);
	must(wait(&status));
	check(WIFEXITED(status));
	if (WEXITSTATUS(status) == COMPAT_NOT_RUN)
		tap_skip("this kernel runs no 32-bit programs");
	check_equal(WEXITSTATUS(status), 2);
}
#else
static void compat(void)
{
	tap_skip("no 32-bit program was written for this architecture");
}
#endif

static void listed(void)
{
	char line[512], name[64], heap[64], command[64];
	int fd = heap_buffer(3 * page), buffers = table_length(), pid;
	unsigned long inode, size;
	struct stat st;

	must(ioctl(fd, DMA_BUF_SET_NAME, "my\033 frame\\"));
	check(table_line(fd, line, sizeof(line)));
	check_equal(sscanf(line, "%lu %lu %63s %63s %d %63s", &inode, &size, heap, name, &pid,
			   command),
		    6);
	check_equal(inode, buffer_inode(fd));
	check_equal(size, 3 * page);
	check(!strcmp(heap, heap_name()));
	check(!strcmp(name, "my\\033\\040frame\\134"));
	check_equal(pid, getpid());
	check(!strcmp(command, "abi"));
	close(fd);
	check_equal(table_length(), buffers - 1);
	must(stat("/sys/kernel/debug/dmaheap/buffers", &st));
	check_equal(st.st_mode & 0777, 0400);
}

static const struct test tests[] = {
	TEST(node, "the node is a character device, 0660 root:root"),
	TEST(class_name, "the class is dma_heap, or dmaheap beside the kernel's own"),
	TEST(read_only_node, "reading rights on the node are enough"),
	TEST(sizes, "a length is rounded up to pages"),
	TEST(length_zero, "length 0 is EINVAL"),
	TEST(length_overflow, "a length that cannot be rounded up is EINVAL"),
	TEST(length_huge, "more than half of memory is ENOMEM at once, up to 2^64 - page"),
	TEST(length_too_large_now, "more than is available is ENOMEM before it hurts"),
	TEST(fd_not_zero, "fd must be 0"),
	TEST(fd_flags_unknown, "each unknown bit of fd_flags is EINVAL"),
	TEST(heap_flags_unknown, "each bit of heap_flags is EINVAL"),
	TEST(access_mode, "the fd has the access mode asked for"),
	TEST(close_on_exec, "the fd is closed on exec only if asked for"),
	TEST(shorter_structure, "what a shorter structure lacks reads as 0"),
	TEST(too_short_structure, "a structure without fd is EINVAL and leaves no fd"),
	TEST(longer_structure, "what a longer structure holds is ignored and untouched"),
	TEST(unknown_ioctl, "an unknown ioctl is ENOTTY"),
	TEST(fault_on_the_way_in, "an unreadable argument is EFAULT"),
	TEST(fault_on_the_way_back, "an unwritable argument is EFAULT and leaves no fd"),
	TEST(no_fd_left, "without a free fd: EMFILE, and no buffer is left"),
	TEST(zeroed, "buffers are zeroed, also when made of freed buffers"),
	TEST(zeroed_after_others, "buffers are zeroed, also when made of others' memory"),
	TEST(outlives_the_heap_fd, "a buffer outlives the heap's fd"),
	TEST(compat, "a 32-bit program can allocate"),
	TEST(listed, "the table of buffers has inode, size, heap, name, pid and command"),
};

int main(int argc, char **argv)
{
	(void)argc;
	page = sysconf(_SC_PAGESIZE);
	return tap_run(argv[0], tests, sizeof(tests) / sizeof(tests[0]));
}
