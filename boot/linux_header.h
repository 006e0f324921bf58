/*
 * The setup header of a Linux bzImage, which iPXE, memdisk and others have, too; the kernel's
 * Documentation/arch/x86/boot.rst. What the two ways to enter one share: boot/load_linux.c by the
 * 32-bit entry, boot/load_real_mode.c by the first one. Relies on boot/loader.h.
 */
#ifndef BOOT_LINUX_HEADER_H
#define BOOT_LINUX_HEADER_H

#include "boot/loader.h"

enum {
	PROTOCOL_HEAP = 0x0201,
	PROTOCOL_CMDLINE = 0x0202,
	PROTOCOL_INITRD_MAX = 0x0203,
	PROTOCOL_SYSSIZE = 0x0204, /* before: 16 bits of it only */
	PROTOCOL_CMDLINE_SIZE = 0x0206,
	PROTOCOL_INIT_SIZE = 0x020a,
	PROTOCOL_XLOADFLAGS = 0x020c,
	PROTOCOL_RSDP = 0x020e,
	KERNEL_64 = 1 << 0, /* of xloadflags */
	LOADED_HIGH = 1 << 0,
	CAN_USE_HEAP = 1 << 7,
	LOADER_UNDEFINED = 0xff, /* type_of_loader without an assigned number */
	VIDEO_NORMAL = 0xffff,
	HEADER_OFFSET = 0x1f1,
	HEADER_LIMIT = 0x290, /* of boot_params' room for it */
};
#define HIGH_ADDRESS 0x100000ull

struct setup_header {
	uint8_t setup_sects;
	uint16_t root_flags;
	uint32_t syssize; /* units of 16 bytes */
	uint16_t ram_size, vid_mode, root_dev, boot_flag, jump;
	uint8_t magic[4];
	uint16_t version;
	uint32_t realmode_swtch;
	uint16_t start_sys_seg, kernel_version;
	uint8_t type_of_loader, loadflags;
	uint16_t setup_move_size;
	uint32_t code32_start, ramdisk_image, ramdisk_size, bootsect_kludge;
	uint16_t heap_end_ptr;
	uint8_t ext_loader_ver, ext_loader_type;
	uint32_t cmd_line_ptr, initrd_addr_max, kernel_alignment;
	uint8_t relocatable_kernel, min_alignment;
	uint16_t xloadflags;
	uint32_t cmdline_size, hardware_subarch;
	uint64_t hardware_subarch_data;
	uint32_t payload_offset, payload_length;
	uint64_t setup_data, pref_address;
	uint32_t init_size, handover_offset, kernel_info_offset;
} __attribute__((packed));

#define AT(field, offset)                                                                          \
	_Static_assert(offsetof(struct setup_header, field) + HEADER_OFFSET == (offset), "boot."   \
	                                                                                 "rst")
AT(syssize, 0x1f4);
AT(boot_flag, 0x1fe);
AT(magic, 0x202);
AT(version, 0x206);
AT(type_of_loader, 0x210);
AT(code32_start, 0x214);
AT(ramdisk_image, 0x218);
AT(cmd_line_ptr, 0x228);
AT(initrd_addr_max, 0x22c);
AT(kernel_alignment, 0x230);
AT(relocatable_kernel, 0x234);
AT(xloadflags, 0x236);
AT(cmdline_size, 0x238);
AT(setup_data, 0x250);
AT(pref_address, 0x258);
AT(init_size, 0x260);
#undef AT

struct kernel {
	struct setup_header header;
	uint64_t header_size;  /* bytes from HEADER_OFFSET that the file has of it */
	uint64_t offset, size; /* protected-mode code in the file */
	uint64_t base;         /* gpa of that */
	uint64_t room_base;    /* gpa and bytes of what it takes until it knows memory */
	uint64_t room;
};

/*
 * linux_place.c: puts all modules as one initrd below a gpa, if there are any, and says where in
 * the header. Each begins at a multiple of 4 bytes, with zeros before it: the kernel's
 * Documentation/driver-api/early-userspace/buffer-format.rst takes archives one behind the other.
 */
enum load_error linux_place_initrds(struct loader *loader, struct setup_header *header,
                                    uint64_t limit);

/* Takes the kernel's place: where it prefers to be, or, if it may not move or shall not, 1 MiB. */
enum load_error linux_place(struct loader *loader, struct kernel *kernel, bool fixed);

/* Loads it to be entered in real mode, where the machine has a BIOS. */
enum load_error linux_load_real_mode(struct loader *loader, struct kernel *kernel,
                                     const char *cmdline);

#endif
