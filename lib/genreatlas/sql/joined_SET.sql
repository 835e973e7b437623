-- One row per active clip that has all sets of {{ set.name }}, which models use as one: song, genres, part of the split,
-- and every feature prefixed by the name of its set (joined_groove_summary9 has groove_tempo).
-- for each: joined set
-- optional: clips
{% macro rows(member) -%}
{% if member.layout.by_column -%}
{{ member.wide }}
{%- else -%}
(SELECT g.clip_id, g.song_id, g.{{ member.layout.read["features"] }}
      FROM {{ member.table }} AS g
      JOIN {{ feature_sets }} AS v
        ON v.feature_set = {{ member.name | literal }} AND v.set_version = {{ member.version | literal }}
       AND v.position = 0 AND g.set_version = v.set_version AND g.preprocessing_id = v.preprocessing_id
      LEFT JOIN {{ clips_all }} AS c ON c.clip_id = g.clip_id
      WHERE c.replaced_by IS NULL AND c.retired_at IS NULL)
{%- endif %}
{%- endmacro -%}
{% set first = set.members[0].name | name -%}
SELECT {{ first }}.clip_id,
       {{ first }}.song_id,
       {% for column in ("title", "artist", "genres", "n_genres", "genre", "part", "fold", "group_id") -%}
       _song.{{ column }},
       {% endfor -%}
       {% for member, place, feature, column in set.joined_columns -%}
       {% if member.layout.by_column -%}
       {{ member.name | name }}.{{ feature | name }}
       {%- else -%}
       {{ at((member.name | name) ~ "." ~ member.layout.read["features"], place | string) }}
       {%- endif %} AS {{ column | name }}{{ "" if loop.last else "," }}
       {% endfor -%}
FROM {{ rows(set.members[0]) }} AS {{ first }}
{% for member in set.members[1:] -%}
JOIN {{ rows(member) }} AS {{ member.name | name }} ON {{ member.name | name }}.clip_id = {{ first }}.clip_id
{% endfor -%}
LEFT JOIN {{ song_overview }} AS _song ON _song.song_id = {{ first }}.song_id
