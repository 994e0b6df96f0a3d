/* global echarts */
/**
 * Draws the charts of a page: their data stand in a JSON block beside them, their colours come from the style sheet.
 * Tooltips are drawn on the canvas, because markup with styles of its own would be refused.
 */

const styles = () => getComputedStyle(document.documentElement)
const colour = (name) => styles().getPropertyValue(`--${name}`).trim()

/** @param {{ kind: string, locale: string, categories: string[], series: object[], percent?: boolean }} chart */
function optionsOf(chart) {
  const number = new Intl.NumberFormat(
    chart.locale,
    chart.percent ? { style: 'percent', maximumFractionDigits: 1 } : {},
  )
  const text = {
    color: colour('muted'),
    fontFamily: styles().getPropertyValue('--sans').trim(),
    fontSize: 12,
  }
  return {
    animationDuration: matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : 300,
    textStyle: text,
    grid: { left: 4, right: 8, top: 34, bottom: 2, containLabel: true },
    legend: {
      top: 0,
      left: 0,
      itemWidth: 10,
      itemHeight: 10,
      itemGap: 16,
      icon: 'roundRect',
      textStyle: text,
      data: chart.series.filter(({ hidden, band }) => !hidden && !band).map(({ name }) => name),
    },
    tooltip: {
      trigger: 'axis',
      renderMode: 'richText',
      backgroundColor: colour('surface'),
      borderColor: colour('strong-line'),
      textStyle: { ...text, color: colour('text') },
      axisPointer: { type: 'shadow', shadowStyle: { color: colour('muted'), opacity: 0.08 } },
      formatter: (points) =>
        [
          points[0]?.name,
          ...points
            .filter(
              ({ seriesIndex, value }) =>
                !chart.series[seriesIndex].hidden && !chart.series[seriesIndex].band && value !== '-',
            )
            .map(({ seriesName, value }) => `${seriesName}  ${number.format(value)}`),
        ].join('\n'),
    },
    xAxis: {
      type: 'category',
      data: chart.categories,
      axisTick: { show: false },
      axisLine: { lineStyle: { color: colour('strong-line') } },
      axisLabel: { ...text, hideOverlap: true },
    },
    yAxis: {
      type: 'value',
      minInterval: chart.percent ? undefined : 1,
      axisLabel: { ...text, formatter: (value) => number.format(value) },
      splitLine: { lineStyle: { color: colour('line') } },
    },
    series: chart.series.map((one) => seriesOf(one)),
  }
}

/** A null is a gap: nothing is known of that day. */
function seriesOf({ name, tone, type, stack, values, hidden, band, dashed }) {
  const data = values.map((value) => value ?? '-')
  const paint = colour(`bar-${tone}`)
  if (type === 'bar') return { name, type, stack, data, barMaxWidth: 28, itemStyle: { color: paint } }
  if (hidden || band) {
    const areaStyle = band ? { areaStyle: { color: paint, opacity: 0.16 } } : {}
    return { name, type, stack, data, symbol: 'none', silent: true, lineStyle: { width: 0 }, ...areaStyle }
  }
  return {
    name,
    type,
    data,
    symbol: values.length > 31 ? 'none' : 'circle',
    symbolSize: 6,
    lineStyle: { color: paint, width: 2, type: dashed ? 'dashed' : 'solid' },
    itemStyle: { color: paint },
  }
}

const charts = [...document.querySelectorAll('[data-chart]')].map((place) => {
  const data = JSON.parse(document.getElementById(place.dataset.chart).textContent)
  const chart = echarts.init(place, null, { renderer: 'canvas' })
  const draw = () => chart.setOption(optionsOf(data), true)
  draw()
  return { place, chart, draw }
})

addEventListener('resize', () => {
  for (const { chart } of charts) chart.resize()
})
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const { draw } of charts) draw()
})
