#include "complete.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPEN_MS 300
#define ALL_S 1       /* then the process ends, whatever the daemon does */
#define NAMES_MAX 500 /* nobody reads more */
#define TOKEN_MAX 128

typedef struct completing_t {
    const char *word;   /* the one that is not done yet */
    const char *before; /* what comes before a name: "shots/", "bob," */
    size_t before_size;
    size_t count;
    call_t call;
} completing_t;

static bool begins (const char *text, const char *prefix)
{
    return strncmp (text, prefix, strlen (prefix)) == 0;
}

/* Names that a line cannot hold, or that could steer a terminal (U+0080 to U+009F do, too), are
   left out. */
static void offer (const char *word, const char *description)
{
    for (const unsigned char *c = (const unsigned char *) word; *c; c++) {
        if (*c < ' ' || *c == 127 || (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)) {
            return;
        }
    }
    printf ("%s%s%s\n", word, description ? "\t" : "", description ? description : "");
}

static void offer_fitting (completing_t *self, const char *word, const char *description)
{
    if (begins (word, self->word)) {
        offer (word, description);
    }
}

/* Each of those in a token like show|pause. */
static void offer_literals (completing_t *self, const char *token)
{
    char word[TOKEN_MAX];
    for (; *token; token += strcspn (token, "|"), token += *token == '|') {
        snprintf (word, sizeof word, "%.*s", (int) strcspn (token, "|"), token);
        offer_fitting (self, word, NULL);
    }
}

/* ---- names that the daemon knows */

static int offer_name (completing_t *self, const char *name, const char *behind)
{
    char whole[512];
    int size = snprintf (whole, sizeof whole, "%.*s%s%s", (int) self->before_size, self->before,
                         name, behind);
    if (size > 0 && (size_t) size < sizeof whole && begins (whole, self->word)) {
        offer (whole, NULL);
        self->count++;
    }
    return self->count >= NAMES_MAX;
}

static int offer_collection (const char *name, uint64_t documents, void *argument)
{
    (void) documents;
    return offer_name (argument, name, "");
}

static int offer_subscription (const saker_subscription_t *one, void *argument)
{
    return *one->collection == '#' ? 0 : offer_name (argument, one->collection, "");
}

/* What is subscribed to is mostly what was left. */
static bool offers_left (const completing_t *self)
{
    return self->call.command && strcmp (self->call.command->name, "subscribe") == 0;
}

static int offer_folder (const char *name, uint64_t documents, void *argument)
{
    (void) documents;
    return offer_name (argument, name, "/");
}

/* They come in order, so the first that does not fit is the end. */
static int offer_document (const char *name, uint64_t documents, void *argument)
{
    completing_t *self = argument;
    (void) documents;
    return !begins (name, self->word + self->before_size) || offer_name (self, name, "");
}

static int offer_peer (const saker_peer_t *peer, void *argument)
{
    return offer_name (argument, peer->name, "");
}

static bool ask (completing_t *self)
{
    call_t *call = &self->call;
    return where_store (call->given, call->store)
           && (call->peer || saker_open (&call->peer, call->store, OPEN_MS) == SAKER_OK);
}

static void offer_documents (completing_t *self)
{
    char collection[SAKER_COLLECTION_BYTES_MAX + 1];
    const char *slash = strchr (self->word, '/');
    if (!slash) {
        printf (":nospace\n");
        (void) saker_collections (self->call.peer, offer_folder, self);
        return;
    }
    if ((size_t) (slash - self->word) < sizeof collection) {
        snprintf (collection, sizeof collection, "%.*s", (int) (slash - self->word), self->word);
        self->before = self->word;
        self->before_size = (size_t) (slash + 1 - self->word);
        (void) saker_documents_from (self->call.peer, collection, slash + 1, offer_document, self);
    }
}

static void offer_peers (completing_t *self)
{
    const char *comma = strrchr (self->word, ',');
    self->before = self->word;
    self->before_size = comma ? (size_t) (comma + 1 - self->word) : 0;
    (void) saker_peers (self->call.peer, offer_peer, self);
}

/* ---- what may stand at a place: as --help calls it */

static void offer_kind (completing_t *self, const char *kind)
{
    if (strcmp (kind, "FILE") == 0) {
        printf (":files\n");
    } else if (strcmp (kind, "DIR") == 0 || strcmp (kind, "FOLDER") == 0) {
        printf (":folders\n");
    } else if (strcmp (kind, "ROLE") == 0) {
        offer_literals (self, "none|relay|read|write|admin");
    } else if (strcmp (kind, "LEVEL") == 0) {
        offer_literals (self, "info|debug");
    } else if (strcmp (kind, "COLL") == 0 && offers_left (self) && ask (self)) {
        (void) saker_subscriptions (self->call.peer, NULL, offer_subscription, self);
    } else if (strcmp (kind, "COLL") == 0 && ask (self)) {
        (void) saker_collections (self->call.peer, offer_collection, self);
    } else if (strcmp (kind, "COLL/DOC") == 0 && ask (self)) {
        offer_documents (self);
    } else if (begins (kind, "PEER") && ask (self)) {
        offer_peers (self);
    }
}

/* The next word of a usage, without brackets; options and their arguments are passed over. False:
   it ends here, with the alternative. */
static bool next_token (const char **usage, char token[TOKEN_MAX])
{
    const char *at = *usage;
    while (*at == ' ') {
        at++;
    }
    while (begins (at, "[--") || begins (at, "--") || begins (at, "[OPTION]...")) {
        size_t size = *at == '[' ? strcspn (at, "]") + 1 : strcspn (at, " ");
        if (*at == '-' && at[size] == ' ') { /* and its argument */
            size += 1 + strcspn (at + size + 1, " ");
        }
        at += size;
        at += strspn (at, ". ");
    }
    size_t size = strcspn (at, " ");
    *usage = at + size;
    if (!size || (size == 1 && *at == '|') || size >= TOKEN_MAX) {
        return false;
    }
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        if (!strchr ("[]", at[i])) {
            token[used++] = at[i];
        }
    }
    token[used] = 0;
    return true;
}

static bool is_literal (const char *token)
{
    return *token >= 'a' && *token <= 'z';
}

/* Is the word one of those in a token like show|pause? */
static bool is_one_of (const char *token, const char *word)
{
    size_t size = strlen (word);
    for (; *token; token += strcspn (token, "|"), token += *token == '|') {
        if (strcspn (token, "|") == size && strncmp (token, word, size) == 0) {
            return true;
        }
    }
    return false;
}

/* One way to use a command, as far as the words before the last fit it. True: the usage goes on
   with another. */
static bool offer_way (completing_t *self, const char **usage)
{
    char token[TOKEN_MAX];
    size_t number = 0;
    bool fits = true, more;
    while ((more = next_token (usage, token))) {
        if (number < self->call.words_count) {
            const char *word = self->call.words[number];
            fits = fits && (!is_literal (token) || is_one_of (token, word));
        } else if (number == self->call.words_count && fits && is_literal (token)) {
            offer_literals (self, token);
        } else if (number == self->call.words_count && fits) {
            offer_kind (self, token);
        }
        number++;
    }
    while (**usage == ' ' || **usage == '|') {
        ++*usage;
    }
    return **usage != 0;
}

static void offer_options (completing_t *self, const option_t *options)
{
    char word[TOKEN_MAX];
    for (; options && options->name; options++) {
        snprintf (word, sizeof word, "--%s", options->name);
        offer_fitting (self, word, options->help);
    }
}

/* ---- the words before */

/* Takes the words before the last. The option that waits for its argument, or NULL. */
static const option_t *take_words (completing_t *self, const command_t *const commands[], int count,
                                   char **words, bool *known)
{
    call_t *call = &self->call;
    const option_t *waits = NULL;
    for (int i = 0; i < count; i++) {
        const char *word = words[i];
        if (waits) {
            call->given = strcmp (waits->name, "store") == 0 ? word : call->given;
            waits = NULL;
        } else if (begins (word, "--")) {
            call->given = begins (word, "--store=") ? strchr (word, '=') + 1 : call->given;
            const option_t *own = call->command ? call->command->options : NULL;
            const option_t *option = call_find_option (own, word + 2, strlen (word + 2));
            option = option ? option
                            : call_find_option (call_common_options, word + 2, strlen (word + 2));
            waits = option && option->argument ? option : NULL;
        } else if (!call->command) {
            call->command = call_find_command (commands, word);
            *known = call->command != NULL;
        } else if (call->words_count < CALL_WORDS_MAX) {
            call->words[call->words_count++] = word;
        }
    }
    return waits;
}

static void offer_commands (completing_t *self, const command_t *const commands[])
{
    for (; *commands; commands++) {
        offer_fitting (self, (*commands)->name, (*commands)->summary);
    }
    offer_fitting (self, "help", "print help");
}

void complete (const command_t *const commands[], int count, char **words)
{
    static completing_t completing;
    completing_t *self = &completing;
    bool known = true;
    alarm (ALL_S);
    self->word = count > 0 ? words[count - 1] : "";
    self->before = "";
    /* after help only the name of a command comes */
    bool help = count > 1 && strcmp (words[0], "help") == 0;
    const option_t *waits = take_words (self, commands, help ? 0 : count - 1, words, &known);
    if (waits) {
        offer_kind (self, waits->argument);
    } else if (begins (self->word, "-")) {
        offer_options (self, self->call.command ? self->call.command->options : NULL);
        offer_options (self, call_common_options);
    } else if (!known) {
        /* no command of ours: nothing to offer */
    } else if (!self->call.command) {
        offer_commands (self, commands);
    } else {
        const char *usage = self->call.command->usage;
        while (offer_way (self, &usage)) {
        }
    }
    fflush (stdout);
    call_close (&self->call);
}
