/*
 * vars FILE list GUID | put GUID NAME BYTES | fill PERCENT: the variables in OVMF's flash, as EDK
 * II keeps them (MdeModulePkg, VariableFormat.h): names of a GUID's, one more of it, or as many of
 * nobody's as fill the store so far. A GUID is 32 hex digits, byte for byte. Relies on the C
 * library.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FLASH_MOST = 4 << 20,
	VOLUME_HEADER_LENGTH_AT = 48,
	START = 0x55aa,
	ADDED = 0x3f,
	GOING = 0x3e, /* another is about to take its place */
	KEPT = 7,     /* non-volatile, for boot and run time */
	GUID_BYTES = 16,
	FILLER_BYTES = 4096,
	ALIGN = 4,
};

struct store {
	uint8_t guid[GUID_BYTES];
	uint32_t size;
	uint8_t format, state, reserved[6];
};
_Static_assert(sizeof(struct store) == 28, "VARIABLE_STORE_HEADER");

struct variable {
	uint16_t start;
	uint8_t state, reserved;
	uint32_t attributes;
	uint64_t count;
	uint8_t time[16];
	uint32_t key, name_size, data_size;
	uint8_t guid[GUID_BYTES];
} __attribute__((packed));
_Static_assert(sizeof(struct variable) == 60, "AUTHENTICATED_VARIABLE_HEADER");

static uint8_t flash[FLASH_MOST];
static size_t flash_size, first, end; /* of the store's variables */

static _Noreturn void die(const char *why)
{
	fprintf(stderr, "vars: %s\n", why);
	exit(1);
}

static void find_store(void)
{
	uint16_t header;
	struct store store;

	memcpy(&header, flash + VOLUME_HEADER_LENGTH_AT, sizeof(header));
	if (flash_size < header + sizeof(store) || memcmp(flash + 40, "_FVH", 4) != 0)
		die("this is no flash of OVMF's");
	memcpy(&store, flash + header, sizeof(store));
	first = header + sizeof(store);
	end = header + store.size;
	if (store.format != 0x5a || end > flash_size || end < first)
		die("its store of variables is none that is known");
}

/* The variable at *at, which moves on; false behind the last one. */
static bool next(size_t *at, struct variable *variable, size_t *data)
{
	size_t begin = *at;

	if (end - begin < sizeof(*variable))
		return false;
	memcpy(variable, flash + begin, sizeof(*variable));
	*data = begin + sizeof(*variable);
	if (variable->start != START)
		return false;
	if (variable->name_size > end - *data ||
	    variable->data_size > end - *data - variable->name_size)
		die("a variable reaches beyond the store");
	*at = (*data + variable->name_size + variable->data_size + ALIGN - 1) &
	      ~(size_t)(ALIGN - 1);
	return true;
}

static void read_guid(const char *text, uint8_t *guid)
{
	for (int i = 0; i < GUID_BYTES; i++) {
		unsigned int byte;

		if (sscanf(text + (ptrdiff_t)2 * i, "%2x", &byte) != 1)
			die("this is no GUID");
		guid[i] = (uint8_t)byte;
	}
}

static void list(const uint8_t *guid)
{
	struct variable variable;
	size_t at = first, data;

	while (next(&at, &variable, &data)) {
		if ((variable.state != ADDED && variable.state != GOING) ||
		    memcmp(variable.guid, guid, GUID_BYTES) != 0)
			continue;
		for (uint32_t i = 0; i + 2 < variable.name_size; i += 2)
			putchar(flash[data + i]);
		printf(" %u\n", variable.data_size);
	}
}

static void put(const uint8_t *guid, const char *name, uint32_t bytes)
{
	struct variable variable, new = {.start = START, .state = ADDED, .attributes = KEPT};
	size_t at = first, data, length = strlen(name) + 1;

	while (next(&at, &variable, &data))
		;
	new.name_size = (uint32_t)(2 * length);
	new.data_size = bytes;
	memcpy(new.guid, guid, GUID_BYTES);
	if (end - at < sizeof(new) + new.name_size + bytes + ALIGN)
		die("the store is full");
	memcpy(flash + at, &new, sizeof(new));
	at += sizeof(new);
	for (size_t i = 0; i < length; i++, at += 2) {
		flash[at] = (uint8_t)name[i];
		flash[at + 1] = 0;
	}
	memset(flash + at, 'x', bytes);
}

static void fill(unsigned int percent)
{
	static const uint8_t nobody[GUID_BYTES] = {0xfe, 0xed};
	size_t bytes = (end - first) / 100 * percent;
	char name[16];

	for (unsigned int i = 0; i * (size_t)FILLER_BYTES < bytes; i++) {
		snprintf(name, sizeof(name), "Fill%u", i);
		put(nobody, name, FILLER_BYTES);
	}
}

int main(int argc, char **argv)
{
	uint8_t guid[GUID_BYTES] = {0};
	FILE *file = argc > 3 ? fopen(argv[1], "r+b") : NULL;

	if (!file)
		die("usage: vars FILE list GUID | put GUID NAME BYTES | fill PERCENT");
	flash_size = fread(flash, 1, sizeof(flash), file);
	find_store();
	if (!strcmp(argv[2], "fill")) {
		fill((unsigned int)strtoul(argv[3], NULL, 10));
	} else {
		read_guid(argv[3], guid);
		if (!strcmp(argv[2], "put") && argc > 5)
			put(guid, argv[4], (uint32_t)strtoul(argv[5], NULL, 10));
		else
			list(guid);
	}
	rewind(file);
	if (fwrite(flash, 1, flash_size, file) != flash_size || fclose(file))
		die("the file cannot be written");
	return 0;
}
