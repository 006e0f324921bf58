# Tests of single parts, on the host, by cmocka and with sanitizers. Each tests/unit/test_NAME.c is
# one program; test_NAME_SRC lists the sources that it is linked with.

-include tests/unit/nested.mk
-include tests/unit/mmu.mk
UNIT_TESTS := $(sort $(wildcard tests/unit/test_*.c))
# What a 32-bit L0 is made of, as a 32-bit program; the rest reads what firmware and loaders give. The
# metadata of 12 TiB are no 32-bit program's; nested_reads counts accesses of 8 bytes, which are two there.
NOT_I386 := large_memory nested_reads
ifeq ($(ARCH),i386)
UNIT_TESTS := $(sort $(patsubst %,tests/unit/test_%.c,$(filter-out $(NOT_I386),$(MMU_TESTS) $(SVM_MUTANT_TESTS))))
endif
UNIT_BIN   := $(UNIT_TESTS:tests/unit/%.c=$(BUILD)/unit/%)
UNIT_O     := $(BUILD)/unit/obj

UNIT_CFLAGS := -m$(BITS) -std=c11 -D_GNU_SOURCE -I. $(WARN) -O1 -g -DNESTLING_HOST_TEST -DSTRICT=1 \
	-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -MMD -MP

BOOT_RIG := tests/unit/arena.c

test_memmap_SRC    := boot/memmap.c
test_config_SRC    := boot/config.c hv/print.c
test_acpi_SRC      := boot/acpi.c boot/efi_table.c boot/ids.c $(BOOT_RIG)
test_processors_SRC := boot/ids.c $(BOOT_RIG)
test_processors_start_SRC := $(test_processors_SRC)
test_acpi_sleep_SRC := boot/acpi_sleep.c boot/acpi.c boot/efi_table.c $(BOOT_RIG)
test_multiboot_SRC := boot/smbios.c boot/multiboot.c boot/multiboot1.c boot/multiboot2.c boot/efi_map.c boot/memmap.c boot/acpi.c \
	boot/efi_table.c tests/unit/multiboot_info.c $(BOOT_RIG)
test_multiboot_tags_SRC := $(test_multiboot_SRC)
test_multiboot1_SRC := $(test_multiboot_SRC)
test_linux_SRC     := boot/load.c boot/loader.c boot/load_image.c boot/load_multiboot.c boot/load_linux.c \
	boot/linux_params.c boot/linux_place.c boot/load_real_mode.c boot/multiboot_out.c boot/efi_map.c \
	boot/memmap.c boot/acpi.c boot/efi_table.c hv/print.c boot/bios_memory.c tests/unit/fake_int15.c tests/unit/load_rig.c tests/unit/load_screen.c $(BOOT_RIG)
test_linux_kernels_SRC := $(test_linux_SRC)
test_efi_map_SRC   := boot/efi_map.c boot/memmap.c
test_efi_screen_SRC := boot/efi/screen.c
test_efi_boot_next_SRC := boot/efi/boot_next.c boot/efi/text.c
test_efi_chain_SRC := tests/unit/efi_rig.c boot/efi/chain_option.c boot/efi/chain_target.c boot/efi/files.c boot/efi/text.c
test_efi_chain_memory_SRC := boot/efi/chain_memory.c boot/efi/memory_map.c boot/efi/leave.c boot/efi_map.c boot/l1_ranges.c \
	boot/acpi.c boot/efi_table.c boot/memmap.c hv/iommu_tables.c $(filter mmu/%,$(MMU_RIG)) $(BOOT_RIG)
test_efi_chain_refuse_SRC :=
test_efi_chain_processors_SRC := boot/efi/chain_processors.c
test_efi_chain_menu_SRC := boot/efi/chain_menu.c
test_watchdog_SRC  :=
test_log_SRC       := hv/print.c
test_watchdog_fch_SRC := boot/acpi.c boot/efi_table.c boot/ids.c $(BOOT_RIG)
test_text_SRC      := boot/efi/text.c
test_framebuffer_SRC := hv/framebuffer.c hv/font.c
test_report_SRC    := boot/efi/report.c boot/efi/run_state.c boot/efi/tap_read.c boot/efi/out.c hv/print.c
test_brief_SRC     := boot/efi/brief.c boot/efi/report.c boot/efi/run_state.c boot/efi/tap_read.c boot/efi/out.c hv/print.c
test_efi_variables_SRC := boot/efi/variables.c boot/efi/brief.c boot/efi/report.c boot/efi/run_state.c boot/efi/tap_read.c \
	boot/efi/out.c hv/print.c
test_efi_memory_map_SRC := boot/efi/memory_map.c
test_image_report_SRC := guest/lib/report.c boot/efi/report.c
test_screen_SRC    := hv/framebuffer.c hv/font.c
test_acpi_devices_SRC := boot/acpi_devices.c boot/acpi.c boot/efi_table.c $(BOOT_RIG)
test_ivrs_SRC      := boot/ivrs.c boot/acpi_devices.c boot/acpi.c boot/efi_table.c $(BOOT_RIG)
test_iommu_SRC     := hv/iommu_tables.c $(BOOT_RIG)
test_console_SRC   := hv/framebuffer.c hv/font.c boot/acpi_devices.c boot/ivrs.c boot/acpi.c boot/efi_table.c $(BOOT_RIG)
test_l1_ranges_SRC := boot/l1_ranges.c boot/acpi.c boot/efi_table.c boot/memmap.c $(BOOT_RIG)
test_page_SRC      := guest/lib/page.c guest/lib/about.c hv/print.c
test_bios_memory_SRC := boot/bios_memory.c tests/unit/fake_int15.c boot/memmap.c $(BOOT_RIG)
test_load_SRC      := $(test_linux_SRC) tests/unit/load_images.c
test_load2_SRC     := $(test_load_SRC)
test_decode_SRC   := svm/decode/decode.c svm/decode/operand.c mmu/walk.c mmu/format.c
test_lengths_SRC  := $(test_decode_SRC)
test_lengths_OBJ  := $(UNIT_O)/guest/hardware/instructions.asm.o
test_start_state_SRC := svm/start/start_state.c
test_join_SRC      :=
test_chain_SRC     := boot/chain.c boot/l1_start.c boot/ids.c
test_startup_SRC   := tests/unit/startup_rig.c svm/start/start_state.c
test_signals_SRC   := $(test_startup_SRC)
test_l1_memory_SRC := svm/memory/l1_memory.c
test_window_SRC    :=
test_pae_host_SRC  :=
test_l1_code_SRC := boot/l1_code.c boot/memmap.c
test_window_plan_SRC := boot/window_plan.c boot/l1_ranges.c boot/acpi.c boot/efi_table.c boot/memmap.c $(BOOT_RIG)
test_paging_SRC    :=
test_layout_SRC    := boot/layout.c boot/holes.c boot/memmap.c
test_apic_SRC      := tests/unit/apic_rig.c
test_kept_SRC      := tests/unit/apic_rig.c
test_apic_base_SRC := tests/unit/apic_rig.c
test_vector0_SRC   := tests/unit/apic_rig.c
test_frequency_SRC :=
test_apic_many_SRC :=
# What calls the firmware's services does so by its convention; a file that uses none is the same.
EFI_TESTED_FLAGS := -I/usr/include/efi -I/usr/include/efi/x86_64 -DGNU_EFI_USE_MS_ABI -fshort-wchar
-include tests/fuzz/fuzz.mk

$(UNIT_O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -c $< -o $@

EFI_TESTED := test_efi_screen test_efi_boot_next test_efi_variables test_efi_memory_map test_efi_chain test_efi_chain_memory \
	test_efi_chain_refuse test_efi_chain_menu test_efi_chain_processors
$(foreach test,$(EFI_TESTED),$(UNIT_O)/tests/unit/$(test).o $($(test)_SRC:%.c=$(UNIT_O)/%.o)): \
	UNIT_CFLAGS += $(EFI_TESTED_FLAGS)

$(UNIT_O)/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(NASM) -f elf$(BITS) -o $@ $<

# A program's sources come from a list of its name, what is no C from another: one rule each. What asks
# for locks stands in many.
define UNIT_RULE
$(BUILD)/unit/$(1): $(UNIT_O)/tests/unit/$(1).o $(patsubst %.c,$(UNIT_O)/%.o,$($(1)_SRC) hv/lock.c) $($(1)_OBJ)
	$(CC) $(UNIT_CFLAGS) $$^ -o $$@ -lcmocka
endef
$(foreach test,$(UNIT_TESTS:tests/unit/%.c=%),$(eval $(call UNIT_RULE,$(test))))

.PHONY: check-unit
# All run, even when one fails; then it is named.
check-unit: $(UNIT_BIN) ## run the tests of single parts
	@failed=; for test in $(UNIT_BIN); do \
		$$test || failed="$$failed $${test##*/}"; \
	done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi; \
	echo "all $(words $(UNIT_BIN)) unit test programs passed"

-include $(shell find $(UNIT_O) -name '*.d' 2>/dev/null)
