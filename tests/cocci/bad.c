// SPDX-License-Identifier: GPL-2.0-only
/* What the rules beside this file must find: a line each, marked by "found".  Never compiled. */

static int allocates_under_spinlock(struct thing *thing)
{
	spin_lock(&thing->lock);
	thing->part = kmalloc(4, GFP_KERNEL); /* found */
	spin_unlock(&thing->lock);
	return 0;
}

static void waits_under_spinlock(struct thing *thing)
{
	spin_lock(&thing->lock);
	msleep(1); /* found */
	spin_unlock(&thing->lock);
}

static void allocates_under_guard(struct thing *thing)
{
	guard(spinlock)(&thing->lock);
	if (thing->part)
		thing->part = kmalloc(4, GFP_KERNEL); /* found */
}

static void waits_in_scope(struct thing *thing)
{
	scoped_guard(spinlock, &thing->lock) {
		thing->part = 0;
		mutex_lock(&thing->mutex); /* found */
		mutex_unlock(&thing->mutex);
	}
	msleep(1);
}

static int keeps_spinlock(struct thing *thing)
{
	spin_lock(&thing->lock);
	if (thing->part)
		return 1; /* found */
	spin_unlock(&thing->lock);
	return 0;
}

static int keeps_mutex(struct thing *thing)
{
	mutex_lock(&thing->mutex);
	if (thing->part)
		return 1; /* found */
	mutex_unlock(&thing->mutex);
	return 0;
}

static void takes_mutex_twice(struct thing *thing)
{
	mutex_lock(&thing->mutex);
	mutex_lock(&thing->mutex); /* found */
	mutex_unlock(&thing->mutex);
}

static void charges_under_lock(struct thing *buffer)
{
	guard(mutex)(&buffer->lock);
	dmaheap_charge(buffer); /* found */
}

static int uses_what_is_freed_after_a_scope(struct thing *thing)
{
	scoped_guard(mutex, &thing->mutex)
		thing->part = 0;
	kfree(thing);
	return thing->part; /* found */
}

static int uses_what_is_freed(struct thing *thing)
{
	kfree(thing);
	return thing->part; /* found */
}

static void frees_twice(struct thing *thing)
{
	kfree(thing);
	forget();
	kfree(thing); /* found */
}

static void does_not_look(struct thing *thing)
{
	thing = kzalloc(sizeof(*thing), GFP_KERNEL);
	thing->part = 1; /* found */
}

static int returns_no_errno(void __user *user, struct thing *thing)
{
	return copy_to_user(user, thing, sizeof(*thing)); /* found */
}

static int takes_errno_for_pointer(int fd)
{
	struct dma_buf *dmabuf;

	dmabuf = dma_buf_get(fd);
	if (!dmabuf) /* found */
		return -EINVAL;
	return 0;
}
