# Fuzzers of boot/: what loaders, firmware and files say. The corpus is made by hand: assembly that
# is no program, and text.
FUZZ_BOOT    := acpi multiboot load config report efi_chain
FUZZ_SAN     := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_BOOT_RIG := tests/fuzz/boot_fuzz.c tests/unit/arena.c boot/memmap.c hv/print.c

fuzz_acpi_SRC      := boot/acpi.c boot/efi_table.c boot/acpi_sleep.c boot/ids.c boot/ivrs.c boot/acpi_devices.c boot/l1_ranges.c
fuzz_multiboot_SRC := boot/multiboot.c boot/multiboot1.c boot/multiboot2.c boot/efi_map.c boot/acpi.c boot/efi_table.c
fuzz_load_SRC      := $(filter boot/%,$(test_linux_SRC)) tests/unit/fake_int15.c
fuzz_config_SRC    := boot/config.c boot/efi/text.c
fuzz_report_SRC    := boot/efi/brief.c boot/efi/report.c boot/efi/run_state.c boot/efi/tap_read.c boot/efi/out.c
fuzz_efi_chain_SRC     := $(test_efi_chain_SRC)
$(FUZZ_O)/fuzz_efi_chain: FUZZ_SAN += $(EFI_TESTED_FLAGS)

# The program, then its seeds.
define FUZZ_BOOT_RULE
$(FUZZ_O)/fuzz_$(1): tests/fuzz/fuzz_$(1).c $(sort $(fuzz_$(1)_SRC) $(FUZZ_BOOT_RIG)) $(wildcard boot/*.h boot/efi/*.h tests/fuzz/*.h)
	@mkdir -p $$(@D)
	$(FUZZ_CC) $$(FUZZ_SAN) $$(filter %.c,$$^) -o $$@ -lcmocka

.PHONY: fuzz-$(1)
fuzz-$(1): $(FUZZ_O)/fuzz_$(1) $(patsubst tests/fuzz/corpus/$(1)/%,$(FUZZ_O)/corpus-$(1)/%,$(patsubst %.asm,%,$(wildcard tests/fuzz/corpus/$(1)/*)))
	$(FUZZ_O)/fuzz_$(1) -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=20 \
		-artifact_prefix=$(FUZZ_O)/$(1)- -print_final_stats=1 $(FUZZ_O)/corpus-$(1)
endef
$(foreach name,$(FUZZ_BOOT),$(eval $(call FUZZ_BOOT_RULE,$(name))))

$(FUZZ_O)/corpus-%: tests/fuzz/corpus/%.asm
	@mkdir -p $(@D)
	$(NASM) -f bin -o $@ $<

$(FUZZ_O)/corpus-%: tests/fuzz/corpus/%
	@mkdir -p $(@D)
	cp $< $@

fuzz: $(FUZZ_BOOT:%=fuzz-%)
