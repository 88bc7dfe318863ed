/* Parts of webhooks that need no daemon: signatures, allowed addresses, who sends, how far it is,
   when it is tried again, templates. */

#include "tests/check.h"
#include "tools/canon.h"
#include "tools/gateway/allow.h"
#include "tools/gateway/delivered.h"
#include "tools/gateway/lease.h"
#include "tools/gateway/retry.h"
#include "tools/gateway/sign.h"
#include "tools/gateway/template.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* ---- signatures */

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

/* From the tests of the published libraries of Standard Webhooks. */
static void known_signature (void)
{
    static const char body[] = "{\"test\": 2432232314}";
    sign_key_t key;
    char text[SIGN_TEXT_SIZE];
    CHECK (sign_parse (SECRET, &key));
    CHECK_INT (key.size, 24);
    sign_text (&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, strlen (body), text);
    CHECK_STR (text, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    CHECK (sign_parse (&SECRET[6], &key)); /* without its prefix */
}

static void signatures_are_checked (void)
{
    static const char id[] = "msg_p5jXN8AQM9LWM0D4loKWxJek", body[] = "{\"test\": 2432232314}";
    static const char good[] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    char several[256];
    sign_key_t key;
    CHECK (sign_parse (SECRET, &key));
    CHECK (sign_holds (&key, id, 1614265330, body, strlen (body), good));
    snprintf (several, sizeof several, "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,x %s",
              good);
    CHECK (sign_holds (&key, id, 1614265330, body, strlen (body), several));
    CHECK (!sign_holds (&key, id, 1614265331, body, strlen (body), good));
    CHECK (!sign_holds (&key, "msg_x", 1614265330, body, strlen (body), good));
    CHECK (!sign_holds (&key, id, 1614265330, body, strlen (body) - 1, good));
    CHECK (!sign_holds (&key, id, 1614265330, body, strlen (body), ""));
    CHECK (!sign_holds (&key, id, 1614265330, body, strlen (body), good + 3));
    CHECK (!sign_holds (&key, id, 1614265330, body, strlen (body), "v1,"));
}

static void secrets_are_checked (void)
{
    char secret[SIGN_SECRET_SIZE];
    sign_key_t key;
    CHECK (!sign_parse ("", &key));
    CHECK (!sign_parse ("whsec_", &key));
    CHECK (!sign_parse ("whsec_AAAA", &key));
    CHECK (!sign_parse ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", &key));
    CHECK (!sign_parse (SECRET "x", &key));
    sign_make (secret);
    CHECK (sign_parse (secret, &key));
    CHECK_INT (key.size, SIGN_KEY_BYTES);
}

/* RFC 4231, test case 2, as git forges send it. */
static void body_hash (void)
{
    static const char hex[] = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    static const char text[] = "what do ya want for nothing?";
    uint8_t hash[SIGN_HASH_BYTES];
    char header[80];
    sign_body ("Jefe", 4, text, strlen (text), hash);
    CHECK (sign_is_hash (hex, hash));
    snprintf (header, sizeof header, "sha256=%s", hex);
    CHECK (sign_is_hash (header, hash));
    header[20] = header[20] == 'a' ? 'b' : 'a';
    CHECK (!sign_is_hash (header, hash));
    CHECK (!sign_is_hash ("sha1=00", hash));
    CHECK (!sign_is_hash ("", hash));
}

/* ---- addresses */

static bool allows (const allow_t *allow, const char *text)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    if (inet_pton (AF_INET, text, &four.sin_addr) == 1) {
        return allow_address (allow, (const struct sockaddr *) &four);
    }
    return inet_pton (AF_INET6, text, &six.sin6_addr) == 1
           && allow_address (allow, (const struct sockaddr *) &six);
}

static void nothing_is_allowed_by_itself (void)
{
    const allow_t allow = {0};
    CHECK (!allows (&allow, "127.0.0.1"));
    CHECK (!allows (&allow, "10.0.0.1"));
    CHECK (!allows (&allow, "8.8.8.8"));
    CHECK (!allows (&allow, "::1"));
    CHECK (!allows (&allow, "2a00:1450::1"));
}

static void what_is_listed_is_allowed (void)
{
    allow_t allow = {0};
    CHECK (!allow_add (&allow, "192.168.1.0/24"));
    CHECK (!allow_add (&allow, "10.1.2.3"));
    CHECK (!allow_add (&allow, "fd00::/8"));
    CHECK (allows (&allow, "192.168.1.0"));
    CHECK (allows (&allow, "192.168.1.255"));
    CHECK (!allows (&allow, "192.168.2.0"));
    CHECK (allows (&allow, "10.1.2.3"));
    CHECK (!allows (&allow, "10.1.2.4"));
    CHECK (allows (&allow, "fd12::1"));
    CHECK (!allows (&allow, "fe80::1"));
    CHECK (!allows (&allow, "127.0.0.1"));
    CHECK (allows (&allow, "::ffff:192.168.1.7"));
    CHECK (!allows (&allow, "::ffff:192.168.2.7"));
    CHECK (!allows (&allow, "::192.168.1.7"));
}

static void some_are_never_allowed (void)
{
    allow_t allow = {0};
    CHECK (!allow_add (&allow, "0.0.0.0/0"));
    CHECK (!allow_add (&allow, "::/0"));
    CHECK (allows (&allow, "127.0.0.1"));
    CHECK (allows (&allow, "8.8.8.8"));
    CHECK (!allows (&allow, "0.0.0.0"));
    CHECK (!allows (&allow, "0.1.2.3"));
    CHECK (!allows (&allow, "224.0.0.1"));
    CHECK (!allows (&allow, "255.255.255.255"));
    CHECK (!allows (&allow, "::"));
    CHECK (!allows (&allow, "ff02::1"));
    CHECK (!allows (&allow, "::ffff:0.0.0.0"));
}

static void public_is_what_is_routed (void)
{
    static const char *const outside[] = {
        "127.0.0.1",       "10.0.0.1",    "172.31.0.1",       "192.168.0.1",
        "169.254.169.254", "100.64.0.1",  "::ffff:127.0.0.1", "::1",
        "fe80::1",         "fd00::1",     "2002:7f00:1::",    "64:ff9b::7f00:1",
        "2001::1",         "2001:db8::1", "240.0.0.1",        "::127.0.0.1"};
    allow_t allow = {0};
    CHECK (!allow_add (&allow, "public"));
    CHECK (allows (&allow, "8.8.8.8"));
    CHECK (allows (&allow, "172.32.0.1"));
    CHECK (allows (&allow, "2a00:1450::1"));
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        if (allows (&allow, outside[i])) {
            CHECK_FAIL ("%s is public", outside[i]);
        }
    }
}

static void wrong_networks_are_named (void)
{
    static const char *const wrong[] = {"",           "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/",
                                        "10.0.0.0/x", "127.1",       "2130706433", "fd00::/129",
                                        "host",       "10.0.0.0/8 ", "10.0.0.0/-1"};
    allow_t allow = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (!allow_add (&allow, wrong[i])) {
            CHECK_FAIL ("\"%s\" is taken", wrong[i]);
        }
    }
    CHECK_INT (allow.count, 0);
}

static void odd_forms_are_found (void)
{
    CHECK (allow_is_odd ("2130706433"));
    CHECK (allow_is_odd ("0x7f000001"));
    CHECK (allow_is_odd ("0177.0.0.1"));
    CHECK (allow_is_odd ("127.1"));
    CHECK (!allow_is_odd ("127.0.0.1"));
    CHECK (!allow_is_odd ("farm.studio.example"));
    CHECK (!allow_is_odd ("[::1]"));
}

/* ---- who sends */

static void one_peer_is_the_best (void)
{
    lease_peers_t peers = {0};
    char hook[16];
    unsigned wins[3] = {0};
    static const char *const devices[] = {"0011223344556677", "8899aabbccddeeff",
                                          "0f1e2d3c4b5a6978"};
    for (size_t i = 0; i < 3; i++) {
        lease_see (&peers, devices[i], 1, 0);
        lease_find (&peers, devices[i])->up = true;
    }
    for (unsigned n = 0; n < 300; n++) {
        snprintf (hook, sizeof hook, "hook-%u", n);
        const char *best = lease_best (&peers, hook, 1000, 500);
        CHECK (best);
        for (size_t i = 0; i < 3; i++) {
            wins[i] += strcmp (best, devices[i]) == 0;
            CHECK (lease_hash (hook, devices[i]) <= lease_hash (hook, best));
        }
        /* without the best, the others keep their order; without another, the best stays */
        lease_peers_t fewer = peers;
        lease_forget (&fewer, strcmp (best, devices[0]) == 0 ? devices[1] : devices[0]);
        CHECK_STR (lease_best (&fewer, hook, 1000, 500), best);
    }
    for (size_t i = 0; i < 3; i++) {
        CHECK (wins[i] > 50);
    }
}

static void a_lease_ends_by_our_clock (void)
{
    lease_peers_t peers = {0};
    lease_see (&peers, "0011223344556677", 5, 100);
    CHECK (lease_holds (&peers, "0011223344556677", 1000, 1099));
    CHECK (!lease_holds (&peers, "0011223344556677", 1000, 1100));
    lease_see (&peers, "0011223344556677", 5, 1000); /* it did not move */
    CHECK (!lease_holds (&peers, "0011223344556677", 1000, 1100));
    lease_see (&peers, "0011223344556677", 6, 1000);
    CHECK (lease_holds (&peers, "0011223344556677", 1000, 1999));
    CHECK (!lease_holds (&peers, "8899aabbccddeeff", 1000, 1000));
    CHECK (!lease_best (&peers, "hook", 1000, 1500)); /* its link is not up */
}

/* ---- how far it is */

static void numbers_only_grow (void)
{
    delivered_t delivered = {0};
    uint8_t writer[16] = {0};
    uint64_t state = check_seed ();
    CHECK_INT (delivered_get (&delivered, writer), -1);
    for (int i = 0; i < 1000; i++) {
        writer[0] = (uint8_t) (check_random (&state) % 50);
        int64_t number = (int64_t) (check_random (&state) % 1000),
                before = delivered_get (&delivered, writer);
        CHECK (delivered_raise (&delivered, writer, number));
        CHECK_INT (delivered_get (&delivered, writer), number > before ? number : before);
    }
    for (size_t i = 1; i < delivered.count; i++) {
        CHECK (memcmp (delivered.list[i - 1].writer, delivered.list[i].writer, 16) < 0);
    }
    CHECK (delivered_number (7, 1023) < delivered_number (8, 0));
    CHECK (delivered_number (7, 0) < delivered_number (7, 1));
    delivered_free (&delivered);
}

/* ---- when it is tried again */

static void pauses_grow (void)
{
    for (uint32_t random = 0; random < 1000; random += 37) {
        int64_t first = retry_delay_ms (1000, 1, 0, random),
                third = retry_delay_ms (1000, 3, 0, random);
        CHECK (first >= 750 && first <= 1250);
        CHECK (third >= 6750 && third <= 11250);
        CHECK (retry_delay_ms (1000, 50, 0, random) <= RETRY_MAX_MS + RETRY_MAX_MS / 4);
        CHECK (retry_hold_ms (5000, 50, 0, random) <= RETRY_HOLD_MAX_MS + RETRY_HOLD_MAX_MS / 4);
        CHECK (retry_delay_ms (1000, 1, 60000, random) == 60000);
        CHECK (retry_delay_ms (1000, 1, INT64_MAX, random) == RETRY_AFTER_MAX_MS);
    }
}

/* ---- templates */

static const char *filled (const char *template, const char *body)
{
    static strbuf_t text;
    char sentence[TEMPLATE_SENTENCE_MAX];
    json_t *of = json_loads (template, JSON_DECODE_ANY, NULL),
           *json = json_loads (body, JSON_DECODE_ANY, NULL);
    strbuf_cut (&text, 0);
    if (!template_check (of, sentence)) {
        strbuf_text (&text, sentence);
    } else {
        json_t *made = template_fill (of, json);
        canon_add (&text, made);
        json_decref (made);
    }
    json_decref (of);
    json_decref (json);
    return text.data;
}

static void templates_are_filled (void)
{
    static const char body[] = "{\"pr\": {\"title\": \"Fix\", \"n\": 7, \"open\": true, \"tags\": "
                               "[\"a\", 1]}, \"a/b\": {\"~\": 1}}";
    CHECK_STR (filled ("{\"t\": \"{/pr/title}\"}", body), "{\"t\":\"Fix\"}");
    CHECK_STR (filled ("{\"t\": \"{/pr/n}\"}", body), "{\"t\":7}");
    CHECK_STR (filled ("{\"t\": \"#{/pr/n}: {/pr/title}!\"}", body), "{\"t\":\"#7: Fix!\"}");
    CHECK_STR (filled ("{\"t\": \"{/none}\", \"u\": \"<{/none}>\"}", body),
               "{\"t\":null,\"u\":\"<>\"}");
    CHECK_STR (filled ("{\"t\": \"{/a~1b/~0}\"}", body), "{\"t\":1}");
    CHECK_STR (filled ("{\"t\": \"{/pr/tags}\", \"u\": \"{/pr/tags/0}\"}", body),
               "{\"t\":\"[\\\"a\\\",1]\",\"u\":\"a\"}");
    CHECK_STR (filled ("{\"t\": {\"u\": \"{/pr/open}\", \"v\": 1.5}}", body),
               "{\"t\":{\"u\":true,\"v\":1.5}}");
    CHECK_STR (filled ("{\"t\": \"{{/pr}\"}", body), "{\"t\":\"{/pr}\"}");
    CHECK_STR (filled ("{\"t\": \"{}\"}", "5"), "{\"t\":5}");
}

static void wrong_templates_are_named (void)
{
    CHECK (strstr (filled ("[]", "{}"), "no JSON object"));
    CHECK (strstr (filled ("{}", "{}"), "no JSON object"));
    CHECK (strstr (filled ("{\"t\": [1]}", "{}"), "a list"));
    CHECK (strstr (filled ("{\"t\": \"{title}\"}", "{}"), "begins no JSON Pointer"));
    CHECK (strstr (filled ("{\"t\": \"{/title\"}", "{}"), "begins no JSON Pointer"));
    CHECK (strstr (filled ("{\"t\": \"{/a~2}\"}", "{}"), "begins no JSON Pointer"));
    CHECK (strstr (filled ("{\"t\": {\"u\": \"x {y}\"}}", "{}"), "x {y}"));
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (known_signature);
    RUN (signatures_are_checked);
    RUN (secrets_are_checked);
    RUN (body_hash);
    RUN (nothing_is_allowed_by_itself);
    RUN (what_is_listed_is_allowed);
    RUN (some_are_never_allowed);
    RUN (public_is_what_is_routed);
    RUN (wrong_networks_are_named);
    RUN (odd_forms_are_found);
    RUN (one_peer_is_the_best);
    RUN (a_lease_ends_by_our_clock);
    RUN (numbers_only_grow);
    RUN (pauses_grow);
    RUN (templates_are_filled);
    RUN (wrong_templates_are_named);
    return CHECK_END ();
}
