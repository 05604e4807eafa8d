#include "io/textgrid.h"

#include "base/memory.h"
#include "base/text.h"
#include "io/foreign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bt_status bt_textgrid_read(const char *path, bt_textgrid *out)
{
    bt_status status = BT_OK;
    char *bytes = NULL;
    size_t size;
    *out = (bt_textgrid){0};
    BT_TRY(bt_file_check(path));
    BT_TRY(bt_path_read(path, &bytes, &size));
    BT_TRY(bt_textgrid_parse(bytes, size, path, out));
cleanup:
    bt_free(bytes);
    return status;
}

void bt_textgrid_clear(bt_textgrid *grid)
{
    for (size_t i = 0; i < grid->n; ++i) {
        bt_tier *const tier = &grid->tiers[i];
        for (size_t j = 0; j < tier->n; ++j) bt_free(tier->marks[j].label);
        bt_free(tier->marks);
        bt_free(tier->name);
    }
    bt_free(grid->tiers);
    *grid = (bt_textgrid){0};
}

const bt_tier *bt_textgrid_tier(const bt_textgrid *grid, const char *names)
{
    for (const char *name = names; *name;) {
        const size_t length = strcspn(name, "|");
        for (size_t i = 0; i < grid->n; ++i) {
            const char *const found = grid->tiers[i].name;
            if (strlen(found) == length && !strncasecmp(found, name, length)) return &grid->tiers[i];
        }
        name += length + (name[length] == '|');
    }
    return NULL;
}

/* `before`, then the fewest digits that read back as the same double. */
static bt_status add_number(bt_text *out, const char *before, double value)
{
    char digits[40];
    for (int precision = 15; precision <= 17; ++precision) {
        (void)snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (!(strtod(digits, NULL) < value) && !(strtod(digits, NULL) > value)) break;
    }
    return bt_text_add(out, "%s%s \n", before, digits);
}

static bt_status add_quoted(bt_text *out, const char *before, const char *label)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "%s\"", before));
    for (const char *at = label; *at;) {
        const size_t run = strcspn(at, "\"");
        BT_TRY(bt_text_add_bytes(out, at, run));
        at += run;
        if (*at == '"') {
            BT_TRY(bt_text_add(out, "\"\""));
            ++at;
        }
    }
    BT_TRY(bt_text_add(out, "\" \n"));
cleanup:
    return status;
}

static bt_status add_mark(bt_text *out, bool is_point, size_t number, const bt_mark *mark)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "        %s [%zu]:\n", is_point ? "points" : "intervals", number));
    BT_TRY(add_number(out, is_point ? "            number = " : "            xmin = ", mark->start));
    if (!is_point) BT_TRY(add_number(out, "            xmax = ", mark->end));
    BT_TRY(add_quoted(out, is_point ? "            mark = " : "            text = ", mark->label));
cleanup:
    return status;
}

static bt_status add_tier(bt_text *out, size_t number, const bt_tier *tier)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "    item [%zu]:\n        class = \"%s\" \n", number,
                       tier->is_points ? "TextTier" : "IntervalTier"));
    BT_TRY(add_quoted(out, "        name = ", tier->name));
    BT_TRY(add_number(out, "        xmin = ", tier->start));
    BT_TRY(add_number(out, "        xmax = ", tier->end));
    BT_TRY(bt_text_add(out, "        %s: size = %zu \n", tier->is_points ? "points" : "intervals", tier->n));
    for (size_t i = 0; i < tier->n; ++i) BT_TRY(add_mark(out, tier->is_points, i + 1, &tier->marks[i]));
cleanup:
    return status;
}

static bt_status add_grid(bt_text *out, const bt_textgrid *grid)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\n"));
    BT_TRY(add_number(out, "xmin = ", grid->start));
    BT_TRY(add_number(out, "xmax = ", grid->end));
    BT_TRY(bt_text_add(out, "tiers? <exists> \nsize = %zu \nitem []: \n", grid->n));
    for (size_t i = 0; i < grid->n; ++i) BT_TRY(add_tier(out, i + 1, &grid->tiers[i]));
cleanup:
    return status;
}

bt_status bt_textgrid_write(const char *path, const bt_textgrid *grid)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    FILE *file = NULL;
    BT_TRY(add_grid(&text, grid));
    file = fopen(path, "wb");
    BT_CHECK(file, BT_ERR_FILE, "%s: cannot write: %s", path, strerror(errno));
    const bool written = fwrite(text.data, 1, text.length, file) == text.length;
    const int closed = fclose(file);
    BT_CHECK(written && closed == 0, BT_ERR_FILE, "%s: cannot write: %s", path, strerror(errno));
cleanup:
    bt_text_clear(&text);
    return status;
}
