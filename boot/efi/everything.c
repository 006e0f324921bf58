/*
 * The steps of "Everything", one for each start of this program. Relies on boot/efi/run_state.h for
 * what is next, on region.h and stick.h for what is kept, and where.
 */
#include "boot/efi/everything.h"

#include "boot/check_svm.h"
#include "boot/efi/boot_next.h"
#include "boot/efi/brief.h"
#include "boot/efi/machine_text.h"
#include "boot/efi/out.h"
#include "boot/efi/region.h"
#include "boot/efi/report.h"
#include "boot/efi/resident.h"
#include "boot/efi/stick.h"
#include "boot/efi/tap_read.h"
#include "boot/efi/variables.h"
#include "boot/efi/watchdog.h"
#include "hv/string.h"
#include "hv/x86.h"

enum {
	LIMIT_USUAL = 600,   /* seconds for an image */
	TEXT_ROOM = 1 << 17, /* the machine's part is the longest: all of a large memory map */
	CHUNK = 1 << 12,
	WORDS_ROOM = 2 * CONFIG_CMDLINE_SIZE,
};

static struct {
	const struct efi_home *home;
	const struct config *config;
	struct run_list list;
	struct run_state state;
	uint32_t whose;
	void *region;                     /* NULL: no place for one */
	bool text_refused, state_refused; /* by the stick; said once */
	bool memory_stays;                /* it has this run's state from before the reset */
} run;

static char text_bytes[TEXT_ROOM];
static struct out text = {text_bytes, TEXT_ROOM, 0};

static const char no_place[] = "no memory for reports is free where they are looked for after a "
			       "reset: they come on the serial port only";

static const char *kind(uint32_t step)
{
	return run_step_is_bare(step) ? "bare" : "on Nestling";
}

/* An image's name as text of its own; the list has no end of it. */
static const char *name_of(uint32_t step)
{
	static char name[RUN_NAME_SIZE];
	const struct run_image *image = &run.list.image[run_step_image(step)];

	memcpy(name, image->name, image->length);
	name[image->length] = '\0';
	return name;
}

static void to_stick(const char *from, size_t length)
{
	EFI_STATUS status;

	if (run.text_refused || !length)
		return;
	status = stick_append(run.home, from, length);
	if (!EFI_ERROR(status))
		return;
	run.text_refused = true;
	efi_say("cannot write %s: %s; the run goes on without it", STICK_REPORT,
	        efi_status_text(status));
}

/* What was printed to text. */
static void text_to_stick(void)
{
	to_stick(text.to, text.used);
	text.used = 0;
}

static void report_to_stick(const struct report_text *report)
{
	static char clean[2 * CHUNK];
	int at_line = 1;

	for (size_t i = 0; i < report->length; i += CHUNK) {
		size_t left = report->length - i;

		to_stick(clean, report_clean(report->at + i, left < CHUNK ? left : CHUNK, clean,
		                             &at_line));
	}
	if (!at_line)
		to_stick("\n", 1);
}

static void keep_state(void)
{
	EFI_STATUS status;

	run_state_seal(&run.state);
	if (run.region)
		region_keep_state(run.region, &run.state);
	status = stick_write_state(run.home, &run.state, sizeof(run.state));
	if (!EFI_ERROR(status))
		return;
	if (!run.state_refused)
		efi_say("cannot write %s: %s; the run goes on, but begins again if the machine is "
		        "switched off",
		        STICK_STATE, efi_status_text(status));
	run.state_refused = true;
}

static bool stick_state(struct run_state *state)
{
	static UINT8 bytes[sizeof(struct run_state)];
	UINTN size = sizeof(bytes);

	return !EFI_ERROR(stick_read_state(run.home, bytes, &size)) &&
	       run_state_read(bytes, size, run.whose, run.list.count, state);
}

static void begin_run(void)
{
	run_state_new(&run.state, run.whose, (uint32_t)rdtsc(), run.list.count);
	out_print(&text, "=== Nestling: everything, run %08x\n=== The machine\n", run.state.run);
	machine_text(&text);
	if (!run.region)
		out_print(&text, "--- %s\n", no_place);
	text_to_stick();
}

/* Finds what the last start left, or begins. False when it was lost on the way. */
static bool find_state(void)
{
	static struct run_state stick, memory;
	bool on_stick = stick_state(&stick), in_memory;

	in_memory = run.region && region_state(run.region, run.whose, run.list.count, &memory);
	run.memory_stays = in_memory;
	if (on_stick && in_memory)
		run.state = *run_state_later(&stick, &memory);
	else if (on_stick || in_memory)
		run.state = on_stick ? stick : memory;
	else if (boot_next_was_ours())
		return false;
	else
		begin_run();
	return true;
}

static void print_heading(uint32_t step)
{
	out_print(&text, "=== Step %u of %u: %s, %s\n", step + 1, run.state.count, name_of(step),
	          kind(step));
}

static void say_result(const struct run_result *result, bool damaged)
{
	out_print(&text, "--- %s: %u points, %u failed%s\n", run_verdict_text(result->verdict),
	          result->points, result->failed,
	          damaged                             ? "; the report was damaged"
	          : result->verdict == RUN_UNFINISHED ? "; the image did not come to its end"
	          : result->verdict == RUN_LOST ? "; nothing of the report was left after the reset"
	                                        : "");
}

/* The bare one's report waits in memory for that of the same image on Nestling. */
static void compare(const struct report_text *report, struct run_result *result)
{
	uint32_t step = run.state.step, differences;
	struct report_text bare;

	if (run_step_is_bare(step)) {
		report_keep(run.region, report, step);
		return;
	}
	bare = report_kept(run.region, run.state.run, step - 1);
	if (!bare.length || !report->length)
		return;
	out_print(&text, "--- what differs from bare:\n");
	differences = tap_compare(&bare, report, &text);
	out_print(&text, "--- %u lines differ\n", differences);
	result->compared = 1;
	result->differences = (uint16_t)(differences < UINT16_MAX ? differences : UINT16_MAX);
}

/* Once all that is known of a step is on the stick. */
static void forget_variables(void)
{
	variables_forget(&text);
	if (text.used)
		efi_say("there were odd variables of the firmware's with our GUID: see %s",
		        STICK_REPORT);
	text_to_stick();
}

/* The report in memory, or where that is lost what the firmware's variables have of it. */
static enum report_found find_report(uint32_t step, struct report_text *report,
                                     struct run_result *result)
{
	static struct brief brief;
	enum report_found found = REPORT_LOST;

	if (run.region)
		found = report_find(run.region, run.state.run, step, report);
	tap_judge(found, report, result);
	if (found == REPORT_LOST && variables_read(run.state.run, step, &brief)) {
		*report = (struct report_text){brief.text, brief.length};
		*result = brief.result;
		out_print(&text, "--- nothing was left in memory; the firmware's variables have "
		                 "the verdict, and what failed:\n");
	}
	return found;
}

/* What the step that was begun has left. */
static void collect(void)
{
	struct report_text report = {"", 0};
	struct run_result result;
	uint32_t step = run.state.step;
	enum report_found found;

	print_heading(step);
	found = find_report(step, &report, &result);
	text_to_stick();
	report_to_stick(&report);
	say_result(&result, found == REPORT_DAMAGED);
	if (found != REPORT_LOST)
		compare(&report, &result);
	text_to_stick();
	forget_variables();
	efi_say("step %u of %u: %s, %s: %s, %u points, %u failed", step + 1, run.state.count,
	        name_of(step), kind(step), run_verdict_text(result.verdict), result.points,
	        result.failed);
	run_state_done(&run.state, &result);
	keep_state();
}

/* The image's words: where its report is, that it resets, its own of the list, cmdline=. */
static const char *image_words(uint32_t step)
{
	static char words[WORDS_ROOM];
	const struct run_image *image = &run.list.image[run_step_image(step)];
	struct out out = {words, sizeof(words), 0};

	out_print(&out, "reset=warm");
	if (run.region)
		out_print(&out, " report=0x%llx", (unsigned long long)(UINTN)run.region);
	if (image->words_length)
		out_print(&out, " ");
	for (size_t i = 0; i < image->words_length; i++)
		out_print(&out, "%c", image->words[i] == '+' ? ' ' : image->words[i]);
	if (run.config->cmdline[0])
		out_print(&out, " %s", run.config->cmdline);
	return words;
}

static void set_next_boot(const char *words)
{
	EFI_STATUS status = boot_next_set(run.home, words);

	if (EFI_ERROR(status))
		efi_say("the firmware does not keep what to boot next (%s): if this does not go on "
		        "by itself after a reset, start it again in the same way",
		        efi_status_text(status));
}

static void start_watchdog(const struct boot_info *info)
{
	uint32_t limit = run.config->limit ? run.config->limit : LIMIT_USUAL;
	const char *watchdog = watchdog_start(&limit, info->rsdp);

	if (watchdog)
		efi_say("the watchdog (%s) resets the machine after %u seconds", watchdog, limit);
	else
		efi_say("there is no watchdog that we know: if nothing happens for %u seconds, "
		        "press reset",
		        limit);
}

/*
 * A store of variables wears, so they are written only where memory may be cleared: it was, or this
 * is the first start of a run.
 */
static bool place_resident(void)
{
	const char *why_not;

	if (run.memory_stays)
		return false;
	why_not = resident_place(run.region);
	if (!why_not)
		return true;
	efi_say("the firmware's variables are left alone: %s; reports are in memory only", why_not);
	out_print(&text, "--- the firmware's variables are left alone: %s\n", why_not);
	text_to_stick();
	return false;
}

/* False: its file cannot be read, which is noted, and the next step's turn comes. */
static bool begin_step(struct boot_info *info)
{
	static const struct run_result not_begun = {.verdict = RUN_NOT_BEGUN};
	uint32_t step = run.state.step;
	size_t used = strlen(info->cmdline);

	efi_say("step %u of %u: %s, %s", step + 1, run.state.count, name_of(step), kind(step));
	if (EFI_ERROR(efi_load_module(run.home, "everything", name_of(step), image_words(step),
	                              info))) {
		print_heading(step);
		say_result(&not_begun, false);
		text_to_stick();
		run_state_done(&run.state, &not_begun);
		return false;
	}
	run.state.begun = 1;
	if (run.region)
		report_begin(run.region, run.state.run, step, place_resident());
	keep_state();
	set_next_boot(info->cmdline);
	start_watchdog(info);
	if (run_step_is_bare(step))
		memcpy(info->cmdline + used, " bare=on", sizeof(" bare=on"));
	return true;
}

static void result_text(char *to, size_t size, const struct run_result *result)
{
	struct out out = {to, size, 0};

	out_print(&out, "%s", run_verdict_text(result->verdict));
	if (result->points)
		out_print(&out, ", %u of %u points", result->points - result->failed,
		          result->points);
}

static void say_summary(void)
{
	char bare[64], nested[64], differs[64];

	out_print(&text, "=== Summary: bare, on Nestling, lines that differ\n");
	for (uint32_t step = 0; step < run.state.count; step += 2) {
		const struct run_result *result = &run.state.result[step + 1];
		struct out out = {differs, sizeof(differs), 0};

		result_text(bare, sizeof(bare), &run.state.result[step]);
		result_text(nested, sizeof(nested), result);
		out_print(&out, result->compared ? "%u" : "not compared", result->differences);
		out_print(&text, "%-18s %-28s %-28s %s\n", name_of(step), bare, nested, differs);
		efi_say("%-18s %-28s %-28s %s", name_of(step), bare, nested, differs);
	}
	text_to_stick();
}

/* Not back to the firmware, which may begin the run again. */
static _Noreturn void wait_and_reset(void)
{
	EFI_INPUT_KEY key;
	UINTN index;

	efi_say("press a key to reset the machine");
	while (!EFI_ERROR(efi->ConIn->ReadKeyStroke(efi->ConIn, &key)))
		; /* what was pressed before */
	efi->BootServices->WaitForEvent(1, &efi->ConIn->WaitForKey, &index);
	efi->RuntimeServices->ResetSystem(EfiResetCold, EFI_SUCCESS, 0, NULL);
	for (;;)
		cpu_relax();
}

static _Noreturn void lose(void)
{
	boot_next_forget();
	forget_variables();
	efi_error("the run is lost: the stick cannot be written, and %s; use a stick that can be "
	          "written",
	          run.region ? "the firmware clears memory at a reset" : "memory has no place");
	wait_and_reset();
}

static _Noreturn void finish(const char *why)
{
	if (why) {
		out_print(&text, "--- nothing can run here: %s\n", why);
		text_to_stick();
		efi_say("nothing can run here: %s", why);
	} else {
		say_summary();
	}
	stick_delete_state(run.home);
	forget_variables();
	if (run.region)
		region_forget(run.region);
	boot_next_forget();
	if (run.text_refused)
		efi_say("everything is done; the stick has no whole report: please take a picture "
		        "of this screen");
	else
		efi_say("everything is done: please send %s, which is on the stick", STICK_REPORT);
	wait_and_reset();
}

static EFI_STATUS check_words(const struct boot_info *info)
{
	if (!run_list_read(run.config->everything, &run.list)) {
		efi_error("everything= names no image, one with a bad name, or more than %d: use "
		          "for instance everything=pae.elf,long.elf+levels=5",
		          RUN_IMAGES_MAX);
		return EFI_INVALID_PARAMETER;
	}
	if (run.config->l1_given || run.config->files_given || run.config->bare) {
		efi_error("everything= goes with neither l1=, initrd=, module= nor bare=: leave "
		          "them out");
		return EFI_INVALID_PARAMETER;
	}
	if (strlen(info->cmdline) + sizeof(" bare=on") > sizeof(info->cmdline)) {
		efi_error("the words are too long: shorten everything=");
		return EFI_INVALID_PARAMETER;
	}
	return EFI_SUCCESS;
}

EFI_STATUS everything_prepare(const struct efi_home *home, const struct config *config,
                              struct boot_info *info)
{
	const char *missing;
	EFI_STATUS status;

	run.home = home;
	run.config = config;
	status = check_words(info);
	if (EFI_ERROR(status))
		return status;
	efi->BootServices->SetWatchdogTimer(0, 0, 0, NULL); /* the last screen waits for long */
	run.whose = machine_sum(
		report_sum(REPORT_SUM_OF_NOTHING, info->cmdline, strlen(info->cmdline)));
	run.region = region_take(run.whose, run.list.count);
	if (!run.region)
		efi_say("%s", no_place);
	if (!find_state())
		lose();
	missing = svm_missing(config->npt);
	if (missing)
		finish(missing);
	if (run.state.begun)
		collect();
	while (run.state.step < run.state.count)
		if (begin_step(info))
			return EFI_SUCCESS;
	finish(NULL);
}
