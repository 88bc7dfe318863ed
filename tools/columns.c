#include "columns.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <wchar.h>

void columns_begin (void)
{
    if (!setlocale (LC_CTYPE, "") || strcmp (nl_langinfo (CODESET), "UTF-8") != 0) {
        (void) setlocale (LC_CTYPE, "C.UTF-8");
    }
}

/* One character of a text: its bytes, and its columns; -1: shown as '?'. */
static size_t take_one (const char *text, int *width)
{
    wchar_t character;
    mbstate_t state = {0};
    size_t size = mbrtowc (&character, text, strlen (text), &state);
    if (size == 0 || size > 4) { /* (size_t) -1, -2: not UTF-8 */
        *width = -1;
        return 1;
    }
    *width = wcwidth (character);
    return size;
}

size_t columns_width (const char *text)
{
    size_t width = 0;
    while (*text) {
        int columns;
        text += take_one (text, &columns);
        width += columns < 0 ? 1 : (size_t) columns;
    }
    return width;
}

static void add_spaces (strbuf_t *line, size_t count)
{
    for (; count > 0; count--) {
        strbuf_add (line, " ", 1);
    }
}

static size_t add_up_to (strbuf_t *line, const char *text, size_t room)
{
    size_t used = 0;
    while (*text) {
        int columns;
        size_t size = take_one (text, &columns);
        size_t width = columns < 0 ? 1 : (size_t) columns;
        if (used + width > room) {
            break;
        }
        strbuf_add (line, columns < 0 ? "?" : text, columns < 0 ? 1 : size);
        used += width;
        text += size;
    }
    return used;
}

void columns_add (strbuf_t *line, const char *text, size_t width, bool right)
{
    size_t wanted = columns_width (text);
    if (width == 0) {
        return;
    }
    if (wanted > width) {
        size_t used = add_up_to (line, text, width - 1);
        strbuf_text (line, "…");
        add_spaces (line, width - 1 - used);
        return;
    }
    add_spaces (line, right ? width - wanted : 0);
    (void) add_up_to (line, text, wanted);
    add_spaces (line, right ? 0 : width - wanted);
}
