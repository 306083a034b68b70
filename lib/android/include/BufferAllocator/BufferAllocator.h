/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * BufferAllocator.h: Android's interface to DMA-BUF heaps, for C++, on that for C: see
 * BufferAllocatorWrapper.h for what functions do and return.
 */
#ifndef BUFFER_ALLOCATOR_H
#define BUFFER_ALLOCATOR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <BufferAllocator/BufferAllocatorWrapper.h>
#include <BufferAllocator/dmabufheap-defs.h>

class BufferAllocator
{
      public:
	BufferAllocator()
	{
		dmabufheap_construct(this);
	}

	~BufferAllocator()
	{
		dmabufheap_destruct(this);
	}

	BufferAllocator(const BufferAllocator &) = delete;
	BufferAllocator &operator=(const BufferAllocator &) = delete;

	/* By malloc(), as the functions for C: either may free what the other has made. */
	static void *operator new(size_t size) noexcept
	{
		return malloc(size);
	}

	static void *operator new(size_t size, const std::nothrow_t &) noexcept
	{
		return malloc(size);
	}

	static void *operator new(size_t, void *place) noexcept
	{
		return place;
	}

	static void operator delete(void *memory) noexcept
	{
		free(memory);
	}

	int MapNameToIonHeap(const std::string &heap_name, const std::string &ion_heap_name,
			     unsigned int ion_heap_flags = 0,
			     unsigned int legacy_ion_heap_mask = 0,
			     unsigned int legacy_ion_heap_flags = 0)
	{
		return MapDmabufHeapNameToIonHeap(this, heap_name.c_str(),
						  ion_heap_name.c_str(), ion_heap_flags,
						  legacy_ion_heap_mask, legacy_ion_heap_flags);
	}

	int Alloc(const std::string &heap_name, size_t len, unsigned int heap_flags = 0,
		  size_t legacy_align = 0)
	{
		return DmabufHeapAlloc(this, heap_name.c_str(), len, heap_flags, legacy_align);
	}

	int AllocSystem(bool cpu_access, size_t len, unsigned int heap_flags = 0,
			size_t legacy_align = 0)
	{
		return DmabufHeapAllocSystem(this, cpu_access, len, heap_flags, legacy_align);
	}

	typedef std::function<int(int, int, void *)> CustomCpuSyncLegacyIon;

	int CpuSyncStart(unsigned int dmabuf_fd, SyncType sync_type = kSyncRead,
			 const CustomCpuSyncLegacyIon &legacy_ion_cpu_sync = nullptr,
			 void *legacy_ion_custom_data = nullptr)
	{
		Custom custom = { legacy_ion_cpu_sync, legacy_ion_custom_data };

		return DmabufHeapCpuSyncStart(this, dmabuf_fd, sync_type, custom.function(),
					      &custom);
	}

	int CpuSyncEnd(unsigned int dmabuf_fd, SyncType sync_type = kSyncRead,
		       const CustomCpuSyncLegacyIon &legacy_ion_cpu_sync = nullptr,
		       void *legacy_ion_custom_data = nullptr)
	{
		Custom custom = { legacy_ion_cpu_sync, legacy_ion_custom_data };

		return DmabufHeapCpuSyncEnd(this, dmabuf_fd, sync_type, custom.function(),
					    &custom);
	}

	static std::unordered_set<std::string> GetDmabufHeapList()
	{
		std::unique_ptr<char, void (*)(void *)> names(dmabufheap_names(), ::free);
		std::unordered_set<std::string> list;

		for (const char *name = names.get(); name && *name; name += strlen(name) + 1)
			list.insert(name);
		return list;
	}

	/* 0, or -1 and errno */
	static int DmabufSetName(unsigned int dmabuf_fd, const std::string &name)
	{
		return ::DmabufSetName(nullptr, dmabuf_fd, name.c_str());
	}

	static bool CheckIonSupport()
	{
		return ::CheckIonSupport();
	}

      private:
	/* What a function for C is given, so that it can call any function. */
	struct Custom {
		const CustomCpuSyncLegacyIon &sync;
		void *data;

		static int call(int ion_fd, int dmabuf_fd, void *custom)
		{
			const Custom *self = static_cast<Custom *>(custom);

			return self->sync(ion_fd, dmabuf_fd, self->data);
		}

		int (*function() const)(int, int, void *)
		{
			return sync ? call : nullptr;
		}
	};

	/* All there is to an allocator, as functions for C know it too. */
	void *state_;
};

static_assert(sizeof(BufferAllocator) == sizeof(void *), "the class is what it is for C");

#endif /* BUFFER_ALLOCATOR_H */
