/* graph: the mesh as a picture: who hears whom. */

#include "commands.h"
#include "say.h"
#include "strbuf.h"
#include "told.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An edge: both hear each other, or one hears the other. */
typedef struct edge_t {
    size_t from, to; /* `from` hears `to` */
    bool both;
} edge_t;

typedef struct graph_t {
    const json_t *links; /* the nodes */
    size_t count;
    edge_t *edges;
    size_t edges_count;
} graph_t;

static const json_t *node_at (const graph_t *self, size_t index)
{
    return json_array_get (self->links, index);
}

static bool hears (const graph_t *self, size_t one, size_t other)
{
    return told_hears (node_at (self, one), told_text (node_at (self, other), "/id", ""));
}

/* Each pair once. Members without a right are left out before. */
static bool find_edges (graph_t *self)
{
    self->edges = calloc (self->count * self->count / 2 + 1, sizeof *self->edges);
    for (size_t i = 0; i < self->count && self->edges; i++) {
        for (size_t k = i + 1; k < self->count; k++) {
            bool there = hears (self, i, k), back = hears (self, k, i);
            if (there || back) {
                self->edges[self->edges_count++] =
                    (edge_t){there ? i : k, there ? k : i, there && back};
            }
        }
    }
    return self->edges != NULL;
}

static const char *colour_of (const json_t *link)
{
    const char *state = told_state (link);
    return strcmp (state, "self") == 0 || strcmp (state, "up") == 0 ? "#2e7d32"
           : strcmp (state, "slow") == 0                            ? "#f9a825"
           : strcmp (state, "fenced") == 0                          ? "#6a1b9a"
                                                                    : "#9e9e9e";
}

/* ---- where the nodes are: on a circle, the first on top; in points, downwards */

#define NODE_WIDTH 150.0
#define NODE_HEIGHT 44.0
#define MARGIN 100.0

typedef struct spot_t {
    double x, y;
} spot_t;

static double radius_of (size_t count)
{
    double needed = (double) count * (NODE_WIDTH + 30) / (2 * M_PI);
    return count < 2 ? 0 : needed < 140 ? 140 : needed;
}

static spot_t spot_of (const graph_t *self, size_t index)
{
    double radius = radius_of (self->count);
    double angle = 2 * M_PI * (double) index / (double) self->count - M_PI / 2;
    return (spot_t){MARGIN + radius * (1 + cos (angle)), MARGIN + radius * (1 + sin (angle))};
}

/* ---- Graphviz, which is told where they are: to find out takes it minutes when all hear all */

static void add_quoted (strbuf_t *text, const char *name)
{
    strbuf_text (text, "\"");
    for (; *name; name++) {
        if (*name == '"' || *name == '\\') {
            strbuf_text (text, "\\");
        }
        strbuf_add (text, name, 1);
    }
    strbuf_text (text, "\"");
}

/* "bob\nwrite, up\n3 behind": the newlines are Graphviz's. */
static void add_label (strbuf_t *text, const json_t *link)
{
    strbuf_t name = {0};
    add_quoted (&name, told_text (link, "/name", "?"));
    if (name.data) {
        strbuf_add (text, name.data, name.size - 1);
    }
    strbuf_format (text, "\\n%s, %s", told_text (link, "/role", "?"), told_state (link));
    if (told_int (link, "/behind", 0) > 0) {
        strbuf_format (text, "\\n%" PRId64 " behind", told_int (link, "/behind", 0));
    }
    strbuf_text (text, "\"");
    text->failed |= name.failed;
    strbuf_free (&name);
}

static void add_dot (strbuf_t *text, const graph_t *self)
{
    strbuf_text (
        text,
        "digraph saker {\n    layout=neato;\n    inputscale=72;\n    outputorder=edgesfirst;\n"
        "    node [shape=box, style=\"rounded,filled\", fillcolor=white, "
        "fontname=\"sans-serif\"];\n"
        "    edge [color=\"#90a4ae\"];\n");
    for (size_t i = 0; i < self->count; i++) {
        const json_t *link = node_at (self, i);
        strbuf_format (text, "    \"%s\" [label=", told_text (link, "/id", ""));
        add_label (text, link);
        spot_t spot = spot_of (self, i);
        strbuf_format (text, ", pos=\"%.1f,%.1f!\", color=\"%s\"%s];\n", spot.x, -spot.y,
                       colour_of (link),
                       strcmp (told_state (link), "self") == 0 ? ", penwidth=2" : "");
    }
    for (size_t i = 0; i < self->edges_count; i++) {
        const edge_t *edge = &self->edges[i];
        strbuf_format (text, "    \"%s\" -> \"%s\" [%s];\n",
                       told_text (node_at (self, edge->from), "/id", ""),
                       told_text (node_at (self, edge->to), "/id", ""),
                       edge->both ? "dir=none" : "style=dashed, penwidth=2, color=\"#c62828\"");
    }
    strbuf_text (text, "}\n");
}

/* ---- SVG */

static void add_escaped (strbuf_t *text, const char *name)
{
    for (; *name; name++) {
        unsigned char byte = (unsigned char) *name;
        if (byte == '<') {
            strbuf_text (text, "&lt;");
        } else if (byte == '&') {
            strbuf_text (text, "&amp;");
        } else {
            strbuf_add (text, byte < 0x20 ? "?" : name, 1);
        }
    }
}

/* A long name is cut, at a code point. */
static void add_name (strbuf_t *text, const char *name)
{
    char part[65];
    size_t size = 0, points = 0;
    for (; size < sizeof part - 1 && name[size]; size++) {
        points += ((unsigned char) name[size] & 0xc0) != 0x80;
        if (points > 17) {
            break;
        }
    }
    snprintf (part, sizeof part, "%.*s", (int) size, name);
    add_escaped (text, part);
    strbuf_text (text, name[size] ? "…" : "");
}

static void add_node (strbuf_t *text, const graph_t *self, size_t index)
{
    const json_t *link = node_at (self, index);
    spot_t spot = spot_of (self, index);
    strbuf_format (text,
                   "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.0f\" height=\"%.0f\" rx=\"8\" "
                   "fill=\"white\" stroke=\"%s\" stroke-width=\"%d\"/>\n",
                   spot.x - NODE_WIDTH / 2, spot.y - NODE_HEIGHT / 2, NODE_WIDTH, NODE_HEIGHT,
                   colour_of (link), strcmp (told_state (link), "self") == 0 ? 3 : 2);
    strbuf_format (text, "<text x=\"%.1f\" y=\"%.1f\" font-weight=\"bold\">", spot.x, spot.y - 4);
    add_name (text, told_text (link, "/name", "?"));
    strbuf_format (text, "</text>\n<text x=\"%.1f\" y=\"%.1f\" font-size=\"11\">%s, %s", spot.x,
                   spot.y + 14, told_text (link, "/role", "?"), told_state (link));
    if (told_int (link, "/behind", 0) > 0) {
        strbuf_format (text, ", %" PRId64 " behind", told_int (link, "/behind", 0));
    }
    strbuf_text (text, "</text>\n");
}

static void add_svg (strbuf_t *text, const graph_t *self)
{
    double size = 2 * (MARGIN + radius_of (self->count));
    strbuf_format (text,
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                   "font-family=\"sans-serif\" font-size=\"14\" text-anchor=\"middle\">\n",
                   size, size);
    for (size_t i = 0; i < self->edges_count; i++) {
        const edge_t *edge = &self->edges[i];
        spot_t from = spot_of (self, edge->from), to = spot_of (self, edge->to);
        strbuf_format (text,
                       "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"%s/>\n",
                       from.x, from.y, to.x, to.y, edge->both ? "#78909c" : "#c62828",
                       edge->both ? "" : " stroke-dasharray=\"6 4\"");
    }
    for (size_t i = 0; i < self->count; i++) {
        add_node (text, self, i);
    }
    strbuf_text (text, "</svg>\n");
}

/* ---- JSON */

static json_t *graph_json (const graph_t *self)
{
    json_t *nodes = json_array (), *edges = json_array ();
    for (size_t i = 0; i < self->count; i++) {
        const json_t *link = node_at (self, i);
        json_array_append_new (
            nodes, json_pack ("{s:s,s:s,s:s,s:s}", "id", told_text (link, "/id", ""), "name",
                              told_text (link, "/name", ""), "role", told_text (link, "/role", ""),
                              "state", told_state (link)));
    }
    for (size_t i = 0; i < self->edges_count; i++) {
        const edge_t *edge = &self->edges[i];
        json_array_append_new (
            edges,
            json_pack ("{s:s,s:s,s:b}", "from", told_text (node_at (self, edge->from), "/id", ""),
                       "to", told_text (node_at (self, edge->to), "/id", ""), "both", edge->both));
    }
    return json_pack ("{s:o,s:o}", "members", nodes, "hears", edges);
}

/* ---- the command */

static json_t *with_rights (const json_t *links)
{
    json_t *list = json_array ();
    for (size_t i = 0; i < json_array_size (links); i++) {
        json_t *link = json_array_get (links, i);
        if (strcmp (told_text (link, "/role", "none"), "none") != 0) {
            json_array_append (list, link);
        }
    }
    return list;
}

static saker_err_t print_graph (call_t *call, const graph_t *graph)
{
    strbuf_t text = {0};
    if (call->json) {
        return say_json (call, graph_json (graph));
    }
    if (call_option (call, "svg")) {
        add_svg (&text, graph);
    } else {
        add_dot (&text, graph);
    }
    bool failed = text.failed || !text.data;
    if (!failed) {
        fwrite (text.data, 1, text.size, stdout);
    }
    strbuf_free (&text);
    return failed ? call_memory (call) : SAKER_OK;
}

static saker_err_t run_graph (call_t *call)
{
    json_t *links = NULL;
    saker_err_t error = call_open (call);
    error = error == SAKER_OK ? told_links (call, &links) : error;
    if (error != SAKER_OK) {
        return error;
    }
    json_t *members = with_rights (links);
    graph_t graph = {.links = members, .count = json_array_size (members)};
    error = find_edges (&graph) ? print_graph (call, &graph) : call_memory (call);
    free (graph.edges);
    json_decref (members);
    json_decref (links);
    return error;
}

static const option_t graph_options[] = {
    {"svg", NULL, "draw it, as SVG (default: for Graphviz)"},
    {NULL, NULL, NULL},
};

const command_t cmd_graph = {
    .name = "graph",
    .run = run_graph,
    .usage = "[--svg]",
    .summary = "Draw the mesh, who hears whom, for Graphviz or as SVG.",
    .details = "A line joins two members that hear each other; where only one hears the "
               "other it is dashed and red. The dot of Graphviz need not be there for "
               "--svg.",
    .options = graph_options,
    .example = "saker graph | dot -Tpdf > mesh.pdf  # needs Graphviz\nsaker graph --svg > mesh.svg",
    .words_min = 0,
    .words_max = 0,
};
