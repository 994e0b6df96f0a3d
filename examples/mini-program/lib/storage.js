/**
 * wx storage that never throws. WeChat's own does when it is full (10 MB) or broken, and that must not break
 * a page.
 *
 * @param {Pick<WechatMiniprogram.Wx, 'getStorageSync' | 'setStorageSync'>} wx
 */
function createStorage(wx) {
  return {
    /**
     * @param {string} key
     * @returns {unknown} undefined or '' if there is nothing
     */
    read(key) {
      try {
        return wx.getStorageSync(key)
      } catch {
        return undefined
      }
    },

    /**
     * @param {string} key
     * @param {unknown} value
     * @returns {boolean} whether it was stored
     */
    write(key, value) {
      try {
        wx.setStorageSync(key, value)
        return true
      } catch {
        return false
      }
    },
  }
}

/** @typedef {ReturnType<typeof createStorage>} Storage */

module.exports = { createStorage }
