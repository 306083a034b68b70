// SPDX-License-Identifier: GPL-2.0-only
/*
 * camera-to-screen: show what a camera sees, without a copy between camera and screen.
 *
 * Buffers come from a DMA-BUF heap: they belong to neither driver, and either may be
 * replaced.  Each buffer is a file descriptor, given to V4L2 to be filled and to KMS to
 * be shown; a frame moves on by a number alone.
 *
 *     allocate (heap) -> queue (V4L2) -> filled -> flip (KMS) -> replaced -> queue ...
 *
 * What to keep in mind for a product:
 *  - Ask the camera for the format first: its stride and size decide how much to allocate.
 *  - A buffer on the screen must not be given back to the camera before the next one has
 *    replaced it, and that is when the flip's event comes, not when the flip is asked for.
 *  - This program never touches the pixels.  One that does brackets its accesses by
 *    dmaheap_buffer_begin() and dmaheap_buffer_end().
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <dmaheap.h>
#include <drm_fourcc.h>
#include <linux/videodev2.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#define MAX_BUFFERS 8
#define MISTAKES_TABLE "/sys/kernel/debug/dmaheap/mistakes"
#define CHECKER "/sys/module/dmaheap_core/parameters/check"

struct buffer {
	struct dmaheap_buffer *memory;
	uint32_t fb; /* KMS: the buffer as something to scan out */
};

struct pipeline {
	const char *heap, *camera, *display;
	unsigned int width, height, frames, nr_buffers;

	struct dmaheap *dmaheap;
	uint32_t stride, size; /* bytes, as the camera wants them */
	struct buffer buffers[MAX_BUFFERS];

	int camera_fd, display_fd;
	uint32_t crtc, connector;
	drmModeModeInfo mode;

	unsigned int shown;
	double seconds;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double started;

__attribute__((format(printf, 1, 2))) static void step(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("[%6.2f s] ", now() - started);
	vprintf(format, args);
	putchar('\n');
	fflush(stdout);
	va_end(args);
}

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
	int error = errno;
	va_list args;

	va_start(args, format);
	fprintf(stderr, "camera-to-screen: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, ": %s\n", strerror(error));
	va_end(args);
	exit(1);
}

static int open_or_die(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("cannot open %s", path);
	return fd;
}

/* ---- the camera's format ---- */

static void open_camera(struct pipeline *p)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	/* As fast as it can; a driver takes the nearest rate that it has. */
	struct v4l2_streamparm rate = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.parm.capture.timeperframe = { 1, 60 },
	};
	struct v4l2_capability capability;

	p->camera_fd = open_or_die(p->camera);
	if (ioctl(p->camera_fd, VIDIOC_QUERYCAP, &capability))
		die("%s is not a camera", p->camera);

	format.fmt.pix.width = p->width;
	format.fmt.pix.height = p->height;
	format.fmt.pix.pixelformat = V4L2_PIX_FMT_RGB565;
	format.fmt.pix.field = V4L2_FIELD_NONE;
	if (ioctl(p->camera_fd, VIDIOC_S_FMT, &format))
		die("%s refuses a format", p->camera);
	/* A driver may change what was asked for; it says what it will do. */
	if (format.fmt.pix.pixelformat != V4L2_PIX_FMT_RGB565) {
		errno = ENOTSUP;
		die("%s cannot deliver RGB565", p->camera);
	}
	ioctl(p->camera_fd, VIDIOC_S_PARM, &rate); /* not all cameras have a choice */
	p->width = format.fmt.pix.width;
	p->height = format.fmt.pix.height;
	p->stride = format.fmt.pix.bytesperline;
	p->size = format.fmt.pix.sizeimage;
	step("camera   %s (%s): %ux%u RGB565, %u bytes per frame, at most %.0f per s",
	     p->camera, capability.card, p->width, p->height, p->size,
	     (double)rate.parm.capture.timeperframe.denominator /
		     rate.parm.capture.timeperframe.numerator);
}

/* ---- memory ---- */

/* The library says what failed in words of its own. */
static void check(const struct pipeline *p, int err)
{
	if (!err)
		return;
	fprintf(stderr, "camera-to-screen: %s\n", dmaheap_message(p->dmaheap));
	exit(1);
}

static void allocate_buffers(struct pipeline *p)
{
	/* Anything that is not contiguous by need: both drivers take scattered pages. */
	static const struct dmaheap_need any;
	struct dmaheap_heap *heap = NULL;
	char name[DMAHEAP_NAME_MAX + 1];
	const struct dmaheap_request request = { .size = p->size, .name = name };
	unsigned int i;

	if (p->heap)
		check(p, dmaheap_open(p->dmaheap, p->heap, &heap));
	for (i = 0; i < p->nr_buffers; i++) {
		struct dmaheap_buffer **buffer = &p->buffers[i].memory;

		snprintf(name, sizeof(name), "frame%u", i); /* for people who look */
		check(p, heap ? dmaheap_allocate(heap, &request, buffer) :
				dmaheap_allocate_for(p->dmaheap, &any, &request, buffer));
	}
	if (heap)
		dmaheap_close(heap); /* buffers do not need it any more */
	step("heap     %s: %u buffers allocated", dmaheap_buffer_heap(p->buffers[0].memory),
	     p->nr_buffers);
}

/* ---- camera: buffers to be filled ---- */

static void queue_at_camera(struct pipeline *p, unsigned int index)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
		.index = index,
		.m.fd = dmaheap_buffer_fd(p->buffers[index].memory),
		.length = p->size,
	};

	if (ioctl(p->camera_fd, VIDIOC_QBUF, &buffer))
		die("%s does not take buffer %u", p->camera, index);
}

static void start_camera(struct pipeline *p)
{
	struct v4l2_requestbuffers request = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
		.count = p->nr_buffers,
	};
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	unsigned int i;

	if (ioctl(p->camera_fd, VIDIOC_REQBUFS, &request) || request.count != p->nr_buffers)
		die("%s does not import dma-bufs", p->camera);
	for (i = 0; i < p->nr_buffers; i++)
		queue_at_camera(p, i);
	if (ioctl(p->camera_fd, VIDIOC_STREAMON, &type))
		die("%s does not start", p->camera);
}

/* Waits for a frame and returns the number of the buffer that it is in. */
static unsigned int next_frame(struct pipeline *p)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
	};

	while (ioctl(p->camera_fd, VIDIOC_DQBUF, &buffer))
		if (errno != EINTR)
			die("%s delivers nothing", p->camera);
	return buffer.index;
}

/* ---- display: buffers to be shown ---- */

static bool find_mode(struct pipeline *p, const drmModeConnector *connector)
{
	int i;

	for (i = 0; i < connector->count_modes; i++)
		if (connector->modes[i].hdisplay == p->width &&
		    connector->modes[i].vdisplay == p->height) {
			p->mode = connector->modes[i];
			return true;
		}
	return false;
}

/* The first connector with something behind it that can show frames of our size. */
static void find_screen(struct pipeline *p)
{
	drmModeRes *resources = drmModeGetResources(p->display_fd);
	int i;

	if (!resources || !resources->count_crtcs)
		die("%s has no display", p->display);
	p->crtc = resources->crtcs[0];
	for (i = 0; i < resources->count_connectors && !p->connector; i++) {
		drmModeConnector *connector =
			drmModeGetConnector(p->display_fd, resources->connectors[i]);

		if (connector && connector->connection != DRM_MODE_DISCONNECTED &&
		    find_mode(p, connector))
			p->connector = connector->connector_id;
		drmModeFreeConnector(connector);
	}
	drmModeFreeResources(resources);
	if (!p->connector) {
		errno = ENOENT;
		die("no screen at %s shows %ux%u", p->display, p->width, p->height);
	}
}

static void import_at_display(struct pipeline *p, struct buffer *buffer)
{
	uint32_t handles[4] = {}, strides[4] = { p->stride }, offsets[4] = {};

	if (drmPrimeFDToHandle(p->display_fd, dmaheap_buffer_fd(buffer->memory), &handles[0]))
		die("%s does not import the dma-buf", p->display);
	if (drmModeAddFB2(p->display_fd, p->width, p->height, DRM_FORMAT_RGB565, handles,
			  strides, offsets, &buffer->fb, 0))
		die("%s cannot scan out the dma-buf", p->display);
}

static void open_display(struct pipeline *p)
{
	drmVersion *version;
	unsigned int i;

	p->display_fd = open_or_die(p->display);
	find_screen(p);
	for (i = 0; i < p->nr_buffers; i++)
		import_at_display(p, &p->buffers[i]);
	version = drmGetVersion(p->display_fd);
	step("display  %s (%s): %s, the same %u buffers imported", p->display,
	     version ? version->name : "?", p->mode.name, p->nr_buffers);
	drmFreeVersion(version);
}

static void on_flip(int fd, unsigned int sequence, unsigned int seconds,
		    unsigned int microseconds, void *data)
{
	(void)fd, (void)sequence, (void)seconds, (void)microseconds;
	*(bool *)data = true;
}

/* Returns when the buffer is on the screen, and the one before is not any more. */
static void show(struct pipeline *p, unsigned int index)
{
	drmEventContext events = {
		.version = 2,
		.page_flip_handler = on_flip,
	};
	uint32_t fb = p->buffers[index].fb;
	bool flipped = false;

	if (!p->shown) {
		if (drmModeSetCrtc(p->display_fd, p->crtc, fb, 0, 0, &p->connector, 1,
				   &p->mode))
			die("%s does not set mode %s", p->display, p->mode.name);
		return;
	}
	if (drmModePageFlip(p->display_fd, p->crtc, fb, DRM_MODE_PAGE_FLIP_EVENT, &flipped))
		die("%s does not flip", p->display);
	while (!flipped)
		if (drmHandleEvent(p->display_fd, &events) && errno != EINTR)
			die("%s reports no flip", p->display);
}

/* ---- frames ---- */

static void show_frames(struct pipeline *p)
{
	unsigned int index, on_screen = 0;
	double begin = now();

	for (p->shown = 0; p->shown < p->frames; p->shown++) {
		index = next_frame(p);
		show(p, index);
		if (p->shown)
			queue_at_camera(p, on_screen);
		on_screen = index;
		if (p->shown == p->frames / 3)
			step("showing  frame %u is on the screen", p->shown);
	}
	p->seconds = now() - begin;
}

/* ---- what the kernel says of it ---- */

/*
 * That there is no copy is not something this program may just claim: the exporter knows who has
 * mapped and attached each buffer, and the library asks it.
 */
static const struct dmaheap_buffer_info *look_up(const struct dmaheap_look *look,
						 const struct buffer *buffer)
{
	static const struct dmaheap_buffer_info unknown;
	const struct dmaheap_buffer_info *info =
		dmaheap_look_find(look, dmaheap_buffer_inode(buffer->memory));

	return info ? info : &unknown;
}

/* Called when only the camera has them. */
static unsigned int count_at_camera(struct pipeline *p)
{
	const struct dmaheap_buffer_info *info;
	struct dmaheap_look *look;
	unsigned int i, n = 0;

	check(p, dmaheap_look(p->dmaheap, getpid(), &look));
	for (i = 0; i < p->nr_buffers; i++) {
		info = look_up(look, &p->buffers[i]);
		n += info->kernel_mappings || info->devices_count;
	}
	dmaheap_look_free(look);
	return n;
}

/* What the checker of accesses has found since it is on; -1: it is not. */
static long count_mistakes(void)
{
	FILE *checker = fopen(CHECKER, "r"), *table = fopen(MISTAKES_TABLE, "r");
	long number, sum = -1;

	if (checker && table && fgetc(checker) == 'Y') {
		sum = 0;
		fscanf(table, "%*s %*s");
		while (fscanf(table, "%*s %ld", &number) == 1)
			sum += number;
	}
	if (checker)
		fclose(checker);
	if (table)
		fclose(table);
	return sum;
}

static void report_copies(const struct pipeline *p, unsigned int at_camera,
			  unsigned int at_both)
{
	if (at_camera == p->nr_buffers && at_both == p->nr_buffers)
		printf("bytes copied       0 between camera and display: each of the %u inodes was\n"
		       "                   mapped by the camera before the display was opened, and\n"
		       "                   is in use by both now, says the exporter\n",
		       p->nr_buffers);
	else
		printf("bytes copied       not known: the exporter shows %u of %u buffers with the\n"
		       "                   camera, and %u with both (is debugfs mounted?)\n",
		       at_camera, p->nr_buffers, at_both);
}

static void report(struct pipeline *p, unsigned int at_camera)
{
	const struct dmaheap_buffer_info *info;
	struct dmaheap_look *look;
	unsigned int i, at_both = 0;

	check(p, dmaheap_look(p->dmaheap, getpid(), &look));
	printf("\n%-8s %-16s %-6s %9s  %-6s  %s\n", "BUFFER", "HEAP", "INODE", "BYTES",
	       "CAMERA", "DISPLAY");
	for (i = 0; i < p->nr_buffers; i++) {
		info = look_up(look, &p->buffers[i]);
		printf("frame%-3u %-16s %-6lu %9u  %-6s  %s\n", i,
		       dmaheap_buffer_heap(p->buffers[i].memory),
		       (unsigned long)dmaheap_buffer_inode(p->buffers[i].memory), p->size,
		       info->kernel_mappings ? "mapped" : "-",
		       info->devices_count ? info->devices[0] : "-");
		at_both += info->kernel_mappings && info->devices_count;
	}
	dmaheap_look_free(look);
	printf("\nframes shown       %u\n", p->shown);
	printf("frames per second  %.1f\n", p->shown / p->seconds);
	report_copies(p, at_camera, at_both);
	if (count_mistakes() >= 0)
		printf("ownership mistakes %ld, says the checker\n", count_mistakes());
	fflush(stdout);
}

/* ---- */

static void usage(FILE *file)
{
	fprintf(file,
		"Usage: camera-to-screen [OPTION]...\n"
		"Show what a camera sees, without a copy between camera and screen.\n\n"
		"  -H, --heap=NAME       heap under /dev/dma_heap (default: the best there is)\n"
		"  -c, --camera=NODE     V4L2 camera (default: /dev/video0)\n"
		"  -d, --display=NODE    DRM device with a screen (default: /dev/dri/card0)\n"
		"  -s, --size=WxH        size of a frame and of the screen (default: 640x480)\n"
		"  -n, --frames=N        frames to show (default: 150)\n"
		"  -b, --buffers=N       buffers in flight, 3 to %d (default: 4)\n"
		"  -h, --help            this text\n",
		MAX_BUFFERS);
}

static void parse(struct pipeline *p, int argc, char **argv)
{
	static const struct option options[] = {
		{ "heap", 1, NULL, 'H' },    { "camera", 1, NULL, 'c' },
		{ "display", 1, NULL, 'd' }, { "size", 1, NULL, 's' },
		{ "frames", 1, NULL, 'n' },  { "buffers", 1, NULL, 'b' },
		{ "help", 0, NULL, 'h' },    {},
	};
	bool right = true;
	int option;

	while ((option = getopt_long(argc, argv, "H:c:d:s:n:b:h", options, NULL)) != -1)
		switch (option) {
		case 'H': p->heap = optarg; break;
		case 'c': p->camera = optarg; break;
		case 'd': p->display = optarg; break;
		case 's': right &= sscanf(optarg, "%ux%u", &p->width, &p->height) == 2; break;
		case 'n': right &= sscanf(optarg, "%u", &p->frames) == 1; break;
		case 'b': right &= sscanf(optarg, "%u", &p->nr_buffers) == 1; break;
		case 'h': usage(stdout); exit(0);
		default: right = false;
		}
	if (!right || optind < argc || !p->frames || p->nr_buffers < 3 ||
	    p->nr_buffers > MAX_BUFFERS) {
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct pipeline p = {
		.camera = "/dev/video0",
		.display = "/dev/dri/card0",
		.width = 640,
		.height = 480,
		.frames = 150,
		.nr_buffers = 4,
	};
	unsigned int at_camera;

	started = now();
	parse(&p, argc, argv);
	if (dmaheap_new(&p.dmaheap))
		die("the library does not start");
	open_camera(&p);
	allocate_buffers(&p);
	start_camera(&p);
	at_camera = count_at_camera(&p);
	step("camera   started; it has %u of the %u buffers", at_camera, p.nr_buffers);
	open_display(&p);
	show_frames(&p);
	step("done     %u frames shown", p.shown);
	report(&p, at_camera);
	return 0;
}
