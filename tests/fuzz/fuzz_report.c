/*
 * libFuzzer's way into what "Everything" reads back after a reset: the region with the report and
 * the state in it, the state's file, TAP, and the firmware's variables. Relies on boot/efi/report.h
 * and its neighbours.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "boot/efi/brief.h"
#include "boot/efi/report.h"
#include "boot/efi/run_state.h"
#include "boot/efi/tap_read.h"
#include "tests/fuzz/boot_fuzz.h"

enum { RUN = 0x11111111, STEP = 3, WHOSE = 7, IMAGES = 4, TEXT_MOST = 4096 };

static uint8_t *region; /* as large as the real one: the sanitizer guards its ends */

/* The beginning of the input is the report's header; the rest is the state and both texts. */
static void fill(const uint8_t *data, size_t size)
{
	size_t head = size < sizeof(struct report_header) ? size : sizeof(struct report_header);
	size_t rest = size - head;

	memset(region, 0, REPORT_TEXT_AT);
	memcpy(region, data, head);
	memcpy(region + REPORT_STATE_AT, data + head,
	       rest < REPORT_STATE_ROOM ? rest : REPORT_STATE_ROOM);
	memcpy(region + REPORT_TEXT_AT, data + head, rest);
	memcpy(region + REPORT_KEPT_AT, data + head, rest);
}

static void read_text(enum report_found found, const struct report_text *text)
{
	static char shown[1 << 15];
	struct report_text kept = report_kept(region, RUN, STEP - 1);
	struct out out = {shown, sizeof(shown), 0};
	struct run_result result;
	char clean[256];
	int at_line = 1;

	check(text->length <= REPORT_TEXT_ROOM && kept.length <= REPORT_TEXT_ROOM);
	tap_judge(found, text, &result);
	check(result.verdict < RUN_VERDICTS && result.failed <= result.points);
	tap_compare(&kept, text, &out);
	check(out.used < sizeof(shown));
	for (size_t i = 0; i < out.used; i++)
		check(shown[i] == '\n' || (shown[i] >= ' ' && shown[i] <= '~') || shown[i] == '\t');
	for (size_t i = 0; i < text->length; i += sizeof(clean) / 2) {
		size_t left = text->length - i;
		size_t used = report_clean(text->at + i,
		                           left < sizeof(clean) / 2 ? left : sizeof(clean) / 2,
		                           clean, &at_line);

		check(used <= sizeof(clean));
	}
	report_keep(region, text, STEP);
	report_begin(region, RUN, STEP + 1, false);
	check(report_kept(region, RUN, STEP).length == text->length);
}

static void read_state(const void *bytes, size_t size)
{
	static struct run_state state, fresh;
	struct run_result result = {.verdict = RUN_GOOD};

	if (!run_state_read(bytes, size, WHOSE, IMAGES, &state))
		return;
	run_state_new(&fresh, WHOSE, state.run, IMAGES);
	check(run_state_later(&fresh, &state)->step >= fresh.step);
	while (state.step < state.count) {
		check(run_step_image(state.step) < IMAGES);
		run_state_done(&state, &result);
	}
}

/* A sum that no mutation finds is put right for half of the inputs. */
static void mend(void)
{
	struct report_header *header = (struct report_header *)region;
	struct run_state *state = (struct run_state *)(region + REPORT_STATE_AT);

	header->magic = REPORT_MAGIC;
	header->run = RUN;
	header->step = STEP;
	header->kept_step = STEP - 1;
	header->length %= TEXT_MOST;
	header->kept_length %= TEXT_MOST;
	header->checksum =
		report_sum(REPORT_SUM_OF_NOTHING, region + REPORT_TEXT_AT, header->length);
	header->kept_checksum =
		report_sum(REPORT_SUM_OF_NOTHING, region + REPORT_KEPT_AT, header->kept_length);
	run_state_seal(state);
}

/* Its sum, which no mutation finds, is right if mend. */
static void read_pieces(const uint8_t *data, size_t size, bool mended)
{
	static struct brief brief;
	struct brief_piece piece;
	bool more = true;

	for (unsigned int i = 0; more && size && i <= BRIEF_PIECES; i++) {
		size_t bytes = size < sizeof(piece) ? size : sizeof(piece);

		memset(&piece, 0, sizeof(piece));
		memcpy(&piece, data, bytes);
		if (mended && bytes >= offsetof(struct brief_piece, text)) {
			static const struct brief empty;
			struct brief_piece head;

			brief_cut(&empty, RUN, STEP, 0, &head);
			piece.magic = head.magic;
			piece.run = RUN;
			piece.step = STEP;
			piece.index = (uint8_t)i;
			piece.length = (uint16_t)(bytes - offsetof(struct brief_piece, text));
			piece.checksum = report_sum(REPORT_SUM_OF_NOTHING, &piece.run,
			                            bytes - offsetof(struct brief_piece, run));
		}
		if (!brief_join(&piece, bytes, RUN, STEP, i, &brief, &more))
			return;
		check(i < BRIEF_PIECES && brief.length <= BRIEF_TEXT);
		check(brief_is_piece(&piece, bytes));
		check(brief.result.verdict < RUN_VERDICTS);
		data += bytes;
		size -= bytes;
	}
}

/* What is made of any report is read back as it was. */
static void cut_and_join(enum report_found found, const struct report_text *text)
{
	static struct brief made, joined;
	struct brief_piece piece;
	bool more = true;

	if (!brief_make(found, text, &made))
		return;
	for (unsigned int i = 0; i < brief_pieces(&made); i++) {
		size_t bytes = brief_cut(&made, RUN, STEP, i, &piece);

		check(more && brief_join(&piece, bytes, RUN, STEP, i, &joined, &more));
	}
	check(!more && joined.length == made.length);
	check(!memcmp(joined.text, made.text, made.length));
	check(!memcmp(&joined.result, &made.result, sizeof(made.result)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct report_text text;
	char *list;
	struct run_list images;
	enum report_found found;

	if (!region)
		region = malloc(REPORT_REGION);
	list = calloc(1, size + 1);
	check(region && list);
	memcpy(list, data, size);
	if (run_list_read(list, &images))
		check(images.count && images.count <= RUN_IMAGES_MAX);
	free(list);
	read_state(data, size);
	read_pieces(data, size, size && data[size - 1] & 1);
	fill(data, size);
	if (size && data[size - 1] & 1)
		mend();
	read_state(region + REPORT_STATE_AT, REPORT_STATE_ROOM);
	found = report_find(region, RUN, STEP, &text);
	cut_and_join(found, &text);
	read_text(found, &text);
	return 0;
}
