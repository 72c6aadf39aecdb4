/*
 * What QEMU does with a plugin, with the version API of its interface (and none before OLDEST): it loads it, shows it
 * three instructions that it has translated, at 16, 17 and 18, and runs the last two.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct insn {
	uint64_t address;
	void (*ran)(unsigned int vcpu, void *data);
	void *data;
};

struct tb {
	struct insn insns[3];
} block = { { { .address = 16 }, { .address = 17 }, { .address = 18 } } };

static void *user_data;

size_t qemu_plugin_tb_n_insns(const struct tb *tb)
{
	return sizeof(tb->insns) / sizeof(*tb->insns);
}

struct insn *qemu_plugin_tb_get_insn(struct tb *tb, size_t index)
{
	return tb->insns + index;
}

uint64_t qemu_plugin_insn_vaddr(const struct insn *insn)
{
	return insn->address;
}

void qemu_plugin_register_vcpu_insn_exec_cb(struct insn *insn, void (*ran)(unsigned int, void *), int registers,
					    void *data)
{
	(void)registers;
	insn->ran = ran;
	insn->data = data;
}

#if API >= 7
static void (*translated)(struct tb *tb, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*callback)(struct tb *, void *), void *data)
{
	(void)id;
	translated = callback;
	user_data = data;
}
#else
static void (*translated)(uint64_t id, struct tb *tb);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*callback)(uint64_t, struct tb *))
{
	(void)id;
	translated = callback;
}
#endif

static int refused(const char *plugin, int version)
{
	const char *format = "host: Could not load plugin %s: plugin requires API version %d, but this QEMU supports %s %d\n";

	if (version > API)
		return fprintf(stderr, format, plugin, version, "only up to version", API);
	if (version < OLDEST)
		return fprintf(stderr, format, plugin, version, "only a minimum version of", OLDEST);
	return 0;
}

int main(int argc, char **argv)
{
	int (*install)(uint64_t id, const void *info, int argc, char **argv);
	char *plugin = strsep(&argv[argc - 1], ",");
	void *library = dlopen(plugin, RTLD_NOW);

	if (!library || refused(plugin, *(int *)dlsym(library, "qemu_plugin_version")))
		return 1;
	install = dlsym(library, "qemu_plugin_install");
	if (install(3, NULL, 1, &argv[argc - 1]))
		return 1;
#if API >= 7
	translated(&block, user_data);
#else
	translated(3, &block);
#endif
	for (int i = 1; i < 3; i++)
		if (block.insns[i].ran)
			block.insns[i].ran(0, block.insns[i].data);
	return 0;
}
