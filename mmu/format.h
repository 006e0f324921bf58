/*
 * The formats of guest page tables as data (AMD64 APM vol. 2, chapter 5), and what the modes of a
 * processor add to them. Relies on nothing.
 */
#ifndef MMU_FORMAT_H
#define MMU_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#define PTE_P         (1ull << 0)
#define PTE_W         (1ull << 1)
#define PTE_U         (1ull << 2)
#define PTE_PWT       (1ull << 3)
#define PTE_PCD       (1ull << 4)
#define PTE_A         (1ull << 5)
#define PTE_D         (1ull << 6)
#define PTE_PS        (1ull << 7) /* in entries of level 2 and above */
#define PTE_PAT       (1ull << 7) /* in entries of level 1 */
#define PTE_PAT_LARGE (1ull << 12)
#define PTE_NX        (1ull << 63)

enum { PT_MAX_LEVEL = 5, PT_PAGE_SHIFT = 12, SHADOW_INDEX_BITS = 9, SHADOW_ENTRIES = 512 };

enum pt_format_id { PT_2LEVEL, PT_PAE, PT_4LEVEL, PT_5LEVEL, PT_FORMATS };

struct pt_level {
	uint8_t shift;     /* the index begins at this bit of the address */
	uint8_t bits;      /* width of the index */
	bool rights;       /* entries have W, U, NX and A (PDPTEs of PAE have none of them) */
	uint64_t reserved; /* must be zero whatever the mode and the size of physical addresses */
};

struct pt_format {
	uint8_t levels;
	uint8_t entry_size;   /* bytes */
	uint8_t index_bits;   /* of every level but the topmost of PAE */
	uint8_t address_bits; /* a larger address faults; APM 15.25.6 for nested tables */
	uint64_t root_mask;   /* bits of CR3 that name the root, below the physical width */
	struct pt_level level[PT_MAX_LEVEL + 1]; /* [1] is the last one walked */
};

extern const struct pt_format pt_formats[PT_FORMATS];

/* What the owner of the tables chose or has, besides the format. */
#define MODE_NX      (1u << 0) /* EFER.NXE */
#define MODE_PSE     (1u << 1) /* CR4.PSE: 4 MiB pages in 2-level tables */
#define MODE_1G      (1u << 2) /* CPUID: 1 GiB pages */
#define MODE_NESTED  (1u << 3) /* nested tables: every access counts as user's, W decides */
#define MODE_WP      (1u << 4) /* CR0.WP */
#define MODE_SMEP    (1u << 5)
#define MODE_SMAP    (1u << 6)
#define MODE_PDPTE_A (1u << 7) /* an emulator sets A in PDPTEs, where it is reserved */
#define MODE_BITS    8

/*
 * What of MODE_* shows in a shadow page. Where CR0.WP is 1 the processor itself does what SMEP and
 * SMAP ask for; where it is 0 some user's pages are the supervisor's for a while, see own_rights().
 */
static inline uint32_t shadow_flags(uint32_t flags)
{
	return (flags & MODE_WP) ? flags & ~(MODE_SMEP | MODE_SMAP) : flags;
}

/* A format in a mode, worked out once: what a walk needs at each level. */
struct paging_mode {
	const struct pt_format *format;
	enum pt_format_id id;
	uint32_t flags; /* MODE_* */
	uint8_t phys_bits;
	uint8_t large_levels;   /* bit n: PS=1 maps a page at level n */
	const uint64_t *pdptes; /* PAE: the four that MOV CR3 loaded; NULL: those in memory count */
	uint64_t address_mask;  /* of entries: the frame */
	uint64_t reserved[PT_MAX_LEVEL + 1];       /* of entries that are no large page */
	uint64_t reserved_large[PT_MAX_LEVEL + 1]; /* of large pages */
};

void paging_mode_init(struct paging_mode *mode, enum pt_format_id id, uint32_t flags,
                      uint8_t phys_bits);

/* The gpa of the root table that CR3 or nCR3 names. */
static inline uint64_t paging_root(const struct paging_mode *mode, uint64_t cr3)
{
	return cr3 & mode->format->root_mask & ((1ull << mode->phys_bits) - 1);
}

static inline unsigned int guest_index(const struct pt_format *format, int level, uint64_t address)
{
	const struct pt_level *l = &format->level[level];

	return (unsigned int)(address >> l->shift) & ((1u << l->bits) - 1);
}

/* Does the entry map a page at this level? */
static inline bool entry_is_leaf(const struct paging_mode *mode, int level, uint64_t entry)
{
	return level == 1 || ((entry & PTE_PS) && (mode->large_levels >> level & 1));
}

static inline uint64_t entry_reserved(const struct paging_mode *mode, int level, uint64_t entry)
{
	bool large = level > 1 && entry_is_leaf(mode, level, entry);

	return entry & (large ? mode->reserved_large : mode->reserved)[level];
}

/* Bytes that an entry of this level covers, as a shift. */
static inline unsigned int level_shift(const struct paging_mode *mode, int level)
{
	return mode->format->level[level].shift;
}

/*
 * The gpa of the page that a leaf maps: its first byte. 4 MiB pages take bits 39:32 from bits
 * 20:13 of the entry (PSE36, APM vol. 2, section 5.2.3).
 */
uint64_t large_frame(const struct paging_mode *mode, int level, uint64_t entry);
static inline uint64_t leaf_frame(const struct paging_mode *mode, int level, uint64_t entry)
{
	return level == 1 ? entry & mode->address_mask : large_frame(mode, level, entry);
}

/* Index into the page attribute table that a leaf chooses; APM vol. 2, section 7.8.3. */
static inline unsigned int leaf_pat_index(int level, uint64_t entry)
{
	unsigned int pat = (entry & (level == 1 ? PTE_PAT : PTE_PAT_LARGE)) ? 4 : 0;

	return pat | (unsigned int)(entry >> 3 & 3);
}

#endif
