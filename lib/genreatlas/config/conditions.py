"""SQL functions allowed in conditions and queries, and the check of a condition before it is run.

A condition (``train.where``) comes from a configuration or from a model's folder, which may be untrusted. Spark
expressions can reach beyond the rows: ``reflect`` calls any Java method, a subquery can read any file. So a condition
is tokenized, and every token must be known. Text that the tokenizer does not know, such as comments and backslashes,
is refused, so that Spark cannot parse the text differently from this module.
"""

import re

#: Functions of Spark that only compute from their arguments. Left out on purpose: those that call Java or Python
#: (reflect, java_method), read files (from_protobuf, from_avro, input_file_name), or return users and sessions.
FUNCTIONS = frozenset(
    """
    abs acos acosh add_months aggregate any any_value approx_count_distinct approx_percentile array array_agg
    array_append array_compact array_contains array_distinct array_except array_insert array_intersect array_join
    array_max array_min array_position array_prepend array_remove array_repeat array_size array_sort array_union
    arrays_overlap arrays_zip ascii asin asinh atan atan2 atanh avg base64 bigint bin binary bit_and bit_count bit_get
    bit_length bit_or bit_xor bool_and bool_or boolean bround btrim cardinality cbrt ceil ceiling char char_length
    character_length chr coalesce collect_list collect_set concat concat_ws contains conv convert_timezone corr cos
    cosh cot count count_if covar_pop covar_samp crc32 csc cume_dist curdate current_date current_timestamp date
    date_add date_diff date_format date_from_unix_date date_part date_sub date_trunc dateadd datediff datepart day
    dayname dayofmonth dayofweek dayofyear decimal decode degrees dense_rank div double e element_at elt encode
    endswith equal_null every exists exp explode explode_outer expm1 extract factorial filter find_in_set first
    first_value flatten float floor forall format_number format_string from_csv from_json from_unixtime
    from_utc_timestamp get get_json_object getbit greatest grouping grouping_id hash hex histogram_numeric hour hypot
    if ifnull ilike initcap inline inline_outer instr int isnan isnotnull isnull json_array_length json_object_keys
    json_tuple kurtosis lag last last_day last_value lcase lead least left len length levenshtein like listagg ln
    locate log log10 log1p log2 lower lpad ltrim make_date make_interval make_timestamp map map_concat
    map_contains_key map_entries map_filter map_from_arrays map_from_entries map_keys map_values map_zip_with max
    max_by md5 mean median min min_by minute mod mode month monthname months_between named_struct nanvl negative
    next_day now nth_value ntile nullif nullifzero nvl nvl2 octet_length overlay percent_rank percentile
    percentile_approx percentile_cont percentile_disc pi pmod posexplode posexplode_outer position positive pow power
    printf quarter radians rand randn random range rank reduce regexp regexp_count regexp_extract regexp_extract_all
    regexp_instr regexp_like regexp_replace regexp_substr regr_avgx regr_avgy regr_count regr_intercept regr_r2
    regr_slope regr_sxx regr_sxy regr_syy repeat replace reverse right rint rlike round row_number rpad rtrim sec
    second sequence sha sha1 sha2 shiftleft shiftright sign signum sin sinh size skewness slice smallint some
    sort_array soundex space split split_part sqrt stack startswith std stddev stddev_pop stddev_samp str_to_map
    string string_agg struct substr substring substring_index sum tan tanh timestamp timestamp_micros
    timestamp_millis timestamp_seconds tinyint to_char to_csv to_date to_json to_number to_timestamp
    to_unix_timestamp to_utc_timestamp to_varchar transform transform_keys transform_values translate trim trunc
    try_add try_avg try_divide try_element_at try_multiply try_subtract try_sum try_to_date try_to_number
    try_to_timestamp typeof ucase unbase64 unhex unix_date unix_micros unix_millis unix_seconds unix_timestamp upper
    url_decode url_encode var_pop var_samp variance weekday weekofyear width_bucket xxhash64 year zeroifnull zip_with
    """.split()  # noqa: SIM905
)

#: Words that may precede a bracket but are no functions: operators, and types with a size.
_BEFORE_BRACKETS = frozenset(
    """
    and or not in case when then else between like ilike rlike regexp distinct all any some is null end cast try_cast
    decimal dec numeric varchar char array map struct interval escape
    """.split()  # noqa: SIM905
)
#: Words of a query: a query can read more than the columns of the row.
_QUERY_WORDS = frozenset(
    "select from table values with using identifier over lateral join union".split()  # noqa: SIM905
)

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>'[^'\\]*'|"[^"\\]*")
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[a-zA-Z]{0,2}\b)
      | (?P<name>[^\W\d]\w*)
      | (?P<quoted>`(?:[^`]|``)+`)
      | (?P<operator>->|<=>|<>|!=|<=|>=|==|\|\||::|[=<>+\-*/%!&|^~(),.\[\]])""",
    re.VERBOSE,
)


def check_condition(text: str) -> str:
    """Return an SQL condition unchanged if it only computes from the columns of a row.

    Parameters
    ----------
    text : the condition, such as ``duration_s > 20 AND codec <> 'MPEG_LAYER_III'``; empty for no condition.

    Raises
    ------
    ValueError : the condition calls a function that is not in :data:`FUNCTIONS`, or contains a query, a comment or an
        unknown character. The message names it.
    """
    tokens: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or text.startswith(("--", "/*", "|>"), place):
            raise ValueError(f"a condition may not contain {text[place : place + 2].strip()!r} (character {place + 1})")
        place = match.end()
        if match.lastgroup != "space":
            tokens.append((str(match.lastgroup), match.group()))
    for number, (kind, word) in enumerate(tokens):
        before = tokens[number - 1][1] if number else ""
        calls = number + 1 < len(tokens) and tokens[number + 1][1] == "("
        lower = word.lower()
        if kind == "name" and lower in _QUERY_WORDS and before != ".":
            raise ValueError(f"a condition may not contain {word}; a column of that name is written in backticks")
        if not calls or kind not in ("name", "quoted", "string"):
            continue
        if kind != "name" or before == ".":
            raise ValueError(f"a condition may not call {word}: only functions by their plain names")
        if lower not in FUNCTIONS | _BEFORE_BRACKETS:
            raise ValueError(f"a condition may not call {word}; it may call Spark's functions of values only")
    return text
