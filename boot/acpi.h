/*
 * The little that booting has to know of ACPI: where the root pointer is, and which processors
 * and I/O APICs there are. Relies on phys() of hv/phys.h for the first 4 GiB; PC firmware keeps its
 * tables there.
 */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Root System Description Pointer; ACPI 6.5, section 5.2.5.3. ACPI 1.0 ends before length. */
struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

enum { ACPI_RSDP1_SIZE = 20 };

/* Offsets in the FADT of the DSDT's hpa, of 4 bytes and of 8; ACPI 6.5, section 5.2.9. */
enum { FADT_DSDT = 40, FADT_X_DSDT = 140 };

_Static_assert(offsetof(struct acpi_rsdp, checksum) == 8, "ACPI 5.2.5.3");
_Static_assert(offsetof(struct acpi_rsdp, revision) == 15, "ACPI 5.2.5.3");
_Static_assert(offsetof(struct acpi_rsdp, rsdt) == 16, "ACPI 5.2.5.3");
_Static_assert(offsetof(struct acpi_rsdp, length) == ACPI_RSDP1_SIZE, "ACPI 5.2.5.3");
_Static_assert(offsetof(struct acpi_rsdp, xsdt) == 24, "ACPI 5.2.5.3");
_Static_assert(offsetof(struct acpi_rsdp, extended_checksum) == 32, "ACPI 5.2.5.3");
_Static_assert(sizeof(struct acpi_rsdp) == 36, "ACPI 5.2.5.3");

/*
 * Copies the root pointer at the hpa, if it is a valid one. Returns its bytes, ACPI_RSDP1_SIZE or
 * sizeof(struct acpi_rsdp), the rest being zero, or 0 when there is none.
 */
size_t acpi_read_rsdp(uint64_t rsdp, struct acpi_rsdp *to);

/* Is the hpa one where software that knows no UEFI searches? ACPI 6.5, section 5.2.5.1. */
bool acpi_rsdp_is_scanned(uint64_t rsdp);

/* Searches where a BIOS puts the root pointer. Returns its hpa, or 0. */
uint64_t acpi_find_rsdp(void);

/*
 * The root pointer that an EFI system table at this hpa tells of, of 64-bit firmware or of 32-bit;
 * ACPI 2.0's before 1.0's. Returns its hpa, or 0. UEFI 2.10, section 4.3 and 4.6.
 */
uint64_t acpi_rsdp_from_efi(uint64_t system_table, bool wide);

/* The hpa of the first valid table with this signature, or 0; rsdp may be 0. */
uint64_t acpi_find_table(uint64_t rsdp, const char *signature);

/*
 * Of several with the same signature: the n-th valid one, from 0. Those of an XSDT come first, then
 * those of the RSDT, which may be the same ones.
 */
uint64_t acpi_find_nth_table(uint64_t rsdp, const char *signature, unsigned int n);

/*
 * Calls tell for all that the functions here and in boot/acpi_sleep.h read, hpa and bytes, below 4
 * GiB: the root pointer, both roots, each table's header at least, and DSDTs.
 */
typedef void acpi_place(void *context, uint64_t hpa, uint64_t bytes);
void acpi_places(uint64_t rsdp, acpi_place *tell, void *context);

/* The bytes of the table at the hpa; 0 when it is not this one or not a valid one. */
uint32_t acpi_table_length(uint64_t hpa, const char *signature);

/*
 * The APIC ids of the processors that the MADT calls enabled, the first max of them, in its order.
 * Firmware may name one twice, by both kinds of entries. Returns how many; 0 when there is no valid
 * MADT to ask. rsdp may be 0. ACPI 6.5, section 5.2.12.
 */
unsigned int acpi_cpu_ids(uint64_t rsdp, uint32_t *ids, unsigned int max);

/* Likewise the hpas of the I/O APICs' registers. */
unsigned int acpi_io_apics(uint64_t rsdp, uint32_t *hpas, unsigned int max);

#endif
