# What the host tests of mmu/ are made of, and what shows that they are good ones.
MMU_RIG   := tests/model/ram.c tests/model/ref_walk.c tests/model/host_walk.c tests/model/rig.c \
	tests/model/invariants.c $(sort $(wildcard mmu/*.c))
SCRIPTS   := tests/model/history.c tests/model/entries.c tests/model/marks.c \
	tests/model/watch.c tests/model/script.c
MMU_MODEL := $(SCRIPTS) tests/model/world.c tests/model/world_guest.c \
	tests/model/world_check.c tests/model/world_memory.c

OWN_RIG   := $(MMU_RIG) tests/model/own_rig.c tests/model/own_invariants.c
OWN_MODEL := $(SCRIPTS) tests/model/own_history.c tests/model/own_tlb.c \
	tests/model/own_guest.c tests/model/own_run.c tests/model/own_race.c \
	tests/model/own_ops.c tests/model/own_script.c

RANDOM    := tests/model/random_scripts.c

OWN_TEST  := tests/unit/own_test.c
OWN_TABLE := $(OWN_TEST) tests/unit/own_table.c
CPUS_TEST := tests/unit/cpus_test.c

test_format_SRC := $(MMU_RIG)
test_walk_SRC   := $(MMU_RIG)
test_spte_SRC   := $(MMU_RIG)
test_shadow_SRC := $(MMU_RIG)
test_roots_SRC  := $(MMU_RIG)
test_roots_kept_SRC := $(MMU_RIG)
test_sync_SRC   := $(MMU_RIG)
test_sync_links_SRC := $(MMU_RIG)
test_track_SRC  := $(MMU_RIG)
test_watch_SRC  := $(MMU_RIG)
test_large_memory_SRC := $(MMU_RIG)
test_cpus_SRC   := $(MMU_RIG) $(CPUS_TEST)
test_cpus_regions_SRC := $(test_cpus_SRC)
test_watch_marks_SRC := $(test_cpus_SRC)
test_glance_SRC  := $(test_cpus_SRC)
test_change_SRC := $(test_cpus_SRC)
test_fault_SRC  := $(test_cpus_SRC)
test_copy_SRC   := $(test_cpus_SRC)
test_random_SRC := $(MMU_RIG) $(MMU_MODEL) $(RANDOM)

test_read_only_SRC   := $(OWN_RIG) $(OWN_TEST)
test_own_random_SRC  := $(OWN_RIG) $(OWN_MODEL) $(RANDOM)
test_own_roots_SRC   := $(OWN_RIG) $(OWN_TEST)
test_own_rights_SRC  := $(OWN_RIG) $(OWN_TEST)
test_own_leaves_SRC  := $(OWN_RIG) $(OWN_TABLE)
test_own_protect_SRC := $(OWN_RIG) $(OWN_TABLE)
test_own_invlpg_SRC  := $(OWN_RIG) $(OWN_TEST)
test_own_cpus_SRC    := $(OWN_RIG) $(OWN_TABLE)

MMU_TESTS := format walk spte shadow sync sync_links track watch large_memory change fault copy cpus cpus_regions watch_marks \
	glance roots roots_kept random \
	own_roots own_rights own_leaves own_protect own_invlpg own_cpus own_random read_only

.PHONY: soak mutants coverage fuzz
SOAK_SECONDS ?= 600
soak: $(BUILD)/unit/test_random $(BUILD)/unit/test_own_random ## random scripts against mmu/, nested and own paging, and the images smp and hostile, for SOAK_SECONDS (600) each
	for test in $(filter $(BUILD)/unit/%,$^); do \
		NESTLING_SEED_FROM=$$(date +%s%N) NESTLING_SECONDS=$(SOAK_SECONDS) $$test || exit 1; \
	done

mutants: $(MMU_TESTS:%=$(BUILD)/unit/test_%) $(SVM_MUTANT_TESTS:%=$(BUILD)/unit/test_%) ## show that each mistake of tests/mutants/list fails a test
	$(foreach test,$(SVM_MUTANT_TESTS),SOURCES_test_$(test)='$(test_$(test)_SRC)') \
	tests/mutants/run '$(UNIT_O)' '$(CC) $(filter-out -MMD -MP $(WARN),$(UNIT_CFLAGS)) -w' $(MUTANTS)

# One set of objects for all tests, so that gcov adds up what they execute.
COVERAGE_O      := $(BUILD)/coverage
COVERAGE_CFLAGS := -std=c11 -D_GNU_SOURCE -I. -O0 -g -DNESTLING_HOST_TEST -DSTRICT=1 --coverage
COVERAGE_MIN    := 95

$(COVERAGE_O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(COVERAGE_CFLAGS) -c $< -o $@

$(COVERAGE_O)/test_%: $(COVERAGE_O)/tests/unit/test_%.o \
		$(patsubst %.c,$(COVERAGE_O)/%.o,$(sort $(MMU_MODEL) $(OWN_RIG) $(OWN_MODEL) \
			$(RANDOM) $(OWN_TABLE) $(CPUS_TEST)))
	$(CC) $(COVERAGE_CFLAGS) $^ -o $@ -lcmocka

.SECONDARY:
coverage: $(MMU_TESTS:%=$(COVERAGE_O)/test_%) ## lines of mmu/ that its tests execute; 95% at least
	@find $(COVERAGE_O) -name '*.gcda' -delete
	@for test in $^; do $$test >/dev/null 2>&1 || { echo "$$test failed" >&2; exit 1; }; done
	@gcov -n $(patsubst %.c,$(COVERAGE_O)/%.o,$(wildcard mmu/*.c)) | \
		awk -v least=$(COVERAGE_MIN) -f tests/unit/coverage.awk

FUZZ_SECONDS ?= 60
FUZZ_O       := $(BUILD)/fuzz
FUZZ_SCRIPT  := tests/fuzz/one_script.c $(wildcard mmu/*.h tests/fuzz/*.h tests/model/*.h)
FUZZ_CC      := clang -std=c11 -D_GNU_SOURCE -I. -O1 -g -DNESTLING_HOST_TEST -DSTRICT=1

$(FUZZ_O)/fuzz_mmu: tests/fuzz/fuzz_mmu.c $(FUZZ_SCRIPT) $(MMU_RIG) $(MMU_MODEL)
	@mkdir -p $(@D)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $(filter %.c,$^) -o $@

$(FUZZ_O)/fuzz_own: tests/fuzz/fuzz_own.c $(FUZZ_SCRIPT) $(OWN_RIG) $(OWN_MODEL)
	@mkdir -p $(@D)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $(filter %.c,$^) -o $@

$(FUZZ_O)/seeds: tests/fuzz/seeds.c tests/model/script.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -I. $^ -o $@

# The seeds' bytes are a script of either kind.
fuzz: $(FUZZ_O)/fuzz_mmu $(FUZZ_O)/fuzz_own $(FUZZ_O)/seeds ## libFuzzer on mmu/ and on what boot/ reads, FUZZ_SECONDS (60) each
	@mkdir -p $(FUZZ_O)/corpus $(FUZZ_O)/corpus-own
	$(FUZZ_O)/seeds $(FUZZ_O)/corpus
	$(FUZZ_O)/seeds $(FUZZ_O)/corpus-own
	$(FUZZ_O)/fuzz_mmu -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=20 \
		-artifact_prefix=$(FUZZ_O)/ -print_final_stats=1 $(FUZZ_O)/corpus
	$(FUZZ_O)/fuzz_own -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=20 \
		-artifact_prefix=$(FUZZ_O)/own- -print_final_stats=1 $(FUZZ_O)/corpus-own
