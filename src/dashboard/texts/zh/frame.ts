import type { card as cardEn, frame as frameEn, signIn as signInEn } from '../en/frame.js'

export const frame: typeof frameEn = {
  language_tag: 'zh',
  product: '签到提醒',
  skip: '跳到正文',
  navigation: '页面',
  sections: {
    today: '今日',
    permits: '推送凭证',
    history: '历史',
    user: '用户',
    errors: '错误',
    health: '运行状况',
  },
  account: '账号',
  language: '语言',
  languages: { en: 'English', zh: '中文' },
  theme: '主题',
  themes: { system: '跟随系统', light: '浅色', dark: '深色' },
  signOut: '退出登录',
  cancel: '取消',
  backToToday: '返回今日',
  wentWrong: '操作没有成功',
  colon: '：',
  asTable: '数据表',
  asOf: (time) => `截至 ${time}。`,
  notYet: '尚未统计，启动后十分钟内完成。',
  day: '日期',
  more: '更多',
  faults: {
    forbidden: '这个表单来自之前的登录。请返回并刷新页面后重新提交。',
    not_found: '没有这个页面。',
    unknown_account: '这里没有这个账号。',
    too_many_requests: '尝试次数过多，请稍候再试。',
    overloaded: '当前请求过多，请稍后再试。',
    not_ready: '服务或数据库尚未就绪，请稍后再试。',
    invalid_request: '表单或网址中有无效内容。',
    conflict: '情况已有变化。',
    internal: '服务内部出错，详情见日志。',
  },
}

export const signIn: typeof signInEn = {
  title: '登录',
  lead: '供每日提醒的运营人员使用。',
  name: '您的姓名',
  nameHint: '会与您的操作一起写入操作记录。',
  password: '密码',
  button: '登录',
  wrong: '密码不正确。',
  noName: '请填写姓名，1 到 40 个字符。',
  offTitle: '控制台未开启',
  off: '设置密码即可开启：为服务设置 ADMIN_PASSWORD 并重新启动，知道密码的人都可以在这里登录。',
  offHash: '比起密码本身，更推荐填写它的哈希值，用这条命令生成：',
  offRest: '提醒、上报和 HTTP 接口都不依赖控制台。',
}

export const card: typeof cardEn = {
  opensNothing: (settings) => `点击不会打开任何页面：请设置 ${settings.join(' 或 ')}。`,
  opens: (page) => `点击打开 ${page}。`,
  keys: '字段名处，微信会显示模板里的标题。',
}
