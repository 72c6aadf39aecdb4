// SPDX-License-Identifier: GPL-2.0
/* What the kernel says about memory and tasks under /proc. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "access.h"
#include "ktap.h"
#include "proc.h"

static uint64_t pagemap_entry(const char *path, const void *addr)
{
	uint64_t entry;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		SKIP("CONFIG_PROC_PAGE_MONITOR: %s is not there", path);
	SETUP(fd >= 0);
	SETUP(pread(fd, &entry, sizeof(entry), (uintptr_t)addr / PAGE * sizeof(entry)) == sizeof(entry));
	close(fd);
	return entry;
}

uint64_t pm(const void *addr)
{
	return pagemap_entry("/proc/self/pagemap", addr);
}

uint64_t pm_of(pid_t pid, const void *addr)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	return pagemap_entry(path, addr);
}

size_t pm_count(const void *addr, size_t pages, uint64_t set, uint64_t clear)
{
	static const size_t batch = 512;
	uint64_t entries[batch];
	size_t count = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	SETUP_MSG(fd >= 0, "/proc/self/pagemap: %s", strerror(errno));
	for (size_t at = 0; at < pages; at += batch) {
		size_t want = pages - at < batch ? pages - at : batch;

		SETUP(pread(fd, entries, want * 8, ((uintptr_t)addr / PAGE + at) * 8) == (ssize_t)want * 8);
		for (size_t i = 0; i < want; i++)
			count += (entries[i] & set) == set && !(entries[i] & clear);
	}
	close(fd);
	return count;
}

/* The number after "NAME:" or "NAME " at the beginning of @line. */
static bool parse_field(const char *line, const char *name, long *value)
{
	size_t len = strlen(name);

	if (strncmp(line, name, len) || (line[len] != ':' && line[len] != ' '))
		return false;
	*value = strtol(line + len + 1, NULL, 10);
	return true;
}

static long field_of(const char *path, const char *name)
{
	char line[512];
	long value = -1;
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file))
		if (parse_field(line, name, &value))
			break;
	if (file)
		fclose(file);
	return value;
}

long smaps_kb(const void *addr, const char *name)
{
	bool inside = false;
	char line[1024];
	long value = -1;
	FILE *file = fopen("/proc/self/smaps", "re");

	while (file && fgets(line, sizeof(line), file)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (uintptr_t)addr && (uintptr_t)addr < end;
		else if (inside && parse_field(line, name, &value))
			break;
	}
	if (file)
		fclose(file);
	return value;
}

long status_kb(const char *name)
{
	return field_of("/proc/self/status", name);
}

long meminfo_kb(const char *name)
{
	return field_of("/proc/meminfo", name);
}

long vmstat(const char *name)
{
	return field_of("/proc/vmstat", name);
}

static long minor_faults(void)
{
	struct rusage used;

	SETUP(!getrusage(RUSAGE_THREAD, &used));
	return used.ru_minflt;
}

long faults_of_writing(void *addr, size_t pages)
{
	long before = minor_faults();

	for (size_t i = 0; i < pages; i++)
		touch_write((char *)addr + i * PAGE, i);
	return minor_faults() - before;
}

long faults_of_reading(const void *addr, size_t pages)
{
	long before = minor_faults();

	for (size_t i = 0; i < pages; i++)
		touch_read((const char *)addr + i * PAGE);
	return minor_faults() - before;
}

char task_state(pid_t tid)
{
	char path[40], text[300], *end;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	if (!file_read(path, text, sizeof(text)))
		return 0;
	end = strrchr(text, ')');
	return end && end[1] ? end[2] : 0;
}

bool file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_TRUNC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text);
}

bool file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}
