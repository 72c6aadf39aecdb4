/*
 * What make calls as the compiler of a kernel: ccache in its depend mode, where the source takes in headers alone, and
 * else gcc itself. Kbuild puts the source last; where there is none, it probes for an option.
 * (A script that did this took a hundredth of the build.)
 *
 * Debug information calls the folder of the build '.': an object that ccache has from another folder is the same, and
 * so is the build id of a kernel, whoever compiled it where.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int all_is_in_headers(const char *source)
{
	int file = open(source, O_RDONLY | O_CLOEXEC);
	struct stat is;
	char *text;

	if (file < 0 || fstat(file, &is) || !S_ISREG(is.st_mode) || !is.st_size)
		return 0;
	text = mmap(NULL, is.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	return text != MAP_FAILED && !memmem(text, is.st_size, "incbin", 6);
}

int main(int argc, char **argv)
{
	char *call[argc + 3], *folder = getcwd(NULL, 0), *map;

	if (!folder || asprintf(&map, "-fdebug-prefix-map=%s=.", folder) < 0)
		return 127;
	call[0] = "ccache";
	call[1] = "gcc";
	call[2] = map;
	memcpy(call + 3, argv + 1, argc * sizeof(*argv));
	setenv("CCACHE_DEPEND", "1", 1);
	if (argc > 1 && all_is_in_headers(argv[argc - 1]))
		execvp(call[0], call);
	else
		execvp(call[1], call + 1);
	return 127;
}
