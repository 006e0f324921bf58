# What the host tests of mmu/ are made of.
MMU_RIG   := tests/model/ram.c tests/model/ref_walk.c tests/model/host_walk.c tests/model/rig.c \
	tests/model/invariants.c $(wildcard mmu/*.c)
MMU_MODEL := tests/model/history.c tests/model/script.c tests/model/world.c \
	tests/model/world_guest.c tests/model/world_check.c

test_format_SRC := $(MMU_RIG)
test_walk_SRC   := $(MMU_RIG)
test_spte_SRC   := $(MMU_RIG)
test_shadow_SRC := $(MMU_RIG)
test_roots_SRC  := $(MMU_RIG)
test_sync_SRC   := $(MMU_RIG)
test_random_SRC := $(MMU_RIG) $(MMU_MODEL)
